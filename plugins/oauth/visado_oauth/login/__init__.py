"""Logins at a provider: the flows there and back, and the identity that a provider proves.

Does not own the state between two requests nor the user of an identity (both are the host's), nor how requests are sent
(`client`).
"""
