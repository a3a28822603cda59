"""Users and their credentials.

Owns the documents of users, and which user owns which subject of a strategy. Does not own what credentials contain.
"""
