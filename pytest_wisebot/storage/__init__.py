"""What is kept on disk: recordings that people review, and the sessions that ran."""
