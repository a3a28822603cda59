"""Plugins: discovery, loading, quarantine, disabling and enabling, and the limits of their calls.

Owns the plugins, the state of each, and the check of what they return. Does not own what plugins offer: the registries of `security`, the action table
and `web.mounts` do.
"""
