"""Strategies: the registry, the limits of each, chains, credentials, and strategies that are added at run time.

Owns the call of a strategy and the check of what it returns. Does not own what follows from an outcome
(`security.logins`).
"""
