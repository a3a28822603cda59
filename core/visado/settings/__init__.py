"""Settings: a frozen section for each part of the host and for each plugin, read once at start-up.

Owns the reading of settings, the types of durations and the host's own sections. Does not own plugins' sections.
"""
