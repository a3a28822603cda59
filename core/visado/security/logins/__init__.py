"""Logins: strategies, chains, login checks and challenges.

Owns the path from a strategy to the token. Does not own the token (`security.tokens`).
"""
