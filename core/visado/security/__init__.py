"""Security: users, their rights, their tokens, and how they log in.

Owns roles, profiles, rights, users, credentials, tokens, API keys, strategies and login checks. Does not own the
transport: errors have ids and no routes.
"""
