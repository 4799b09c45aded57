"""What a session was, for people and programs: plain data from its event log, a verdict, and reports made of both."""
