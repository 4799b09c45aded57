"""Runs many requests at once: the only owner of concurrency.

Nothing is imported here: under xdist the door for the workers stands open before anything heavy is known to be needed.
"""
