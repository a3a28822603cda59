"""Logins: from the outcome of a strategy to the token, through identities, further steps and login checks.

Does not own the call of a strategy (`security.strategies`), nor the token (`security.tokens`).
"""
