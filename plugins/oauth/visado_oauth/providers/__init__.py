"""Providers: the catalogue, the settings of one provider completed by it and by discovery, and which URLs are allowed.

Does not own requests to providers (`client`), nor logins (`login`).
"""
