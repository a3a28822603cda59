"""Roles, profiles, and the rights that are computed from them.

Owns which actions a user may run. Does not own which profiles a user has (`security.users`).
"""
