"""Plugins: how they are found, loaded, called, switched and interrupted.

Owns which plugins there are and the state of each. Does not own what they bring: the registries of `security`, the
action table and `web.mounts` do.
"""
