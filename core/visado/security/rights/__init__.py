"""Roles, profiles, and the rights that follow from them."""
