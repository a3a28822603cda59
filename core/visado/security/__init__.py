"""Users, what they may do, and how the host knows them again.

Owns roles, profiles, users, rights, tokens, API keys, credentials and the registry of strategies. Does not
own the wire: its errors have ids, but nothing here knows a route.
"""
