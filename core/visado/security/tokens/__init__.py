"""Tokens and API keys: signing, storage, verification, caching and revocation."""
