"""How the workers of pytest-xdist reach the one engine, which the controller has."""
