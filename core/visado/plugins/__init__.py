"""Plugins: discovery, loading, quarantine, disabling and enabling, the limits of their calls and what they may return.

Owns the plugins and the state of each. Does not own what plugins offer: the registries of `security`, the action table
and `web.mounts` do.
"""
