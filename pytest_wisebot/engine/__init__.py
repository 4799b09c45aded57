"""Runs many requests at once: the only owner of concurrency.

Nothing is imported here: under xdist the server for the workers starts before anything heavy is needed.
"""
