"""The errors of the kit. None of them reaches a client."""

from __future__ import annotations


class HostNotStarted(RuntimeError):
    """A live host does not listen: the text holds its log."""


class PackageRefused(ValueError):
    """`visado new-plugin` cannot make a package as it is told to: the text says why."""
