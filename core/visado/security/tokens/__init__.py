"""Tokens and API keys: how they are signed, kept, verified, remembered and revoked."""
