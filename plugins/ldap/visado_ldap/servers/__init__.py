"""The servers of a directory: failover in order, a circuit breaker for each, and pooled connections.

Does not own what is searched for (`lookup`), nor what a connection can do (`directory`).
"""
