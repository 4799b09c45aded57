"""The runs on disk: recordings, which people review, and the logs of sessions."""
