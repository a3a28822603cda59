"""Telling values apart, in words that type checkers understand."""

from __future__ import annotations

import asyncio
from typing import Any, TypeGuard, cast


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether this is a JSON object."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether this is a JSON array."""
    return isinstance(value, list)


def are_texts(value: Any) -> TypeGuard[list[str]]:
    """Whether this is a JSON array of texts."""
    return is_list(value) and all(isinstance(item, str) for item in value)


def are_header_texts(values: object) -> bool:
    """Whether this is a tuple of texts that fit into headers: none has a line of its own."""
    if not isinstance(values, tuple):
        return False
    return all(isinstance(each, str) and each.isprintable() for each in cast("tuple[object, ...]", values))


def is_cancelled(error: BaseException) -> bool:
    """Whether this task was asked to end; a `CancelledError` may also come from something that it waited for."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
