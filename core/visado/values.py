"""Telling JSON values apart, in words that type checkers understand."""

from __future__ import annotations

from typing import Any, TypeGuard


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether this is a JSON object."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether this is a JSON array."""
    return isinstance(value, list)


def are_texts(value: Any) -> TypeGuard[list[str]]:
    """Whether this is a JSON array of texts."""
    return is_list(value) and all(isinstance(item, str) for item in value)
