"""The way of the xdist workers to the one engine, which the controller owns."""
