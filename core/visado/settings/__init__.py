"""Settings: one frozen section for each part of the host and each plugin, read once at the start."""
