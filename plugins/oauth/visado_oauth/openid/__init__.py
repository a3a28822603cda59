"""What tokens and user information hold: JSON values, claims, and the keys that verify tokens.

Does not own requests to providers (`client`), nor which claims a token must have (`login.identities`).
"""
