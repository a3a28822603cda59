"""Logins at a provider: the flows there and back, login attempts, and the identity that a provider proves.

Does not own which user an identity belongs to (`accounts`), nor how requests are sent (`client`).
"""
