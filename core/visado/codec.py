"""JSON, as strictly as a wire needs it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final, TypeGuard, cast

from pydantic_core import to_json

_DEEPEST: Final = 100


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether this is a JSON object."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether this is a JSON array."""
    return isinstance(value, list)


def are_texts(value: Any) -> TypeGuard[list[str]]:
    """Whether this is a JSON array of strings."""
    return is_list(value) and all(isinstance(item, str) for item in value)


def decode(data: bytes) -> Any:
    """Read JSON. Raises `ValueError`: malformed, not UTF-8, a key twice, NaN, too deep, or half a character."""
    try:
        value = _DECODER.decode(data.decode())
    except RecursionError:
        raise ValueError("too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(_told(error)) from None
    if data.count(b"{") + data.count(b"[") > _DEEPEST and _too_deep(value):
        raise ValueError("too deep")
    if b"\\ud" in data.lower():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair") from None
    return value


def _told(error: json.JSONDecodeError) -> str:
    """Say what is wrong in the words that clients of this protocol know."""
    if error.pos >= len(error.doc):
        return "Unexpected end of JSON input"
    if "property name" in error.msg:
        return f"Expected property name or '}}' in JSON at position {error.pos}"
    return f"Unexpected token in JSON at position {error.pos}"


def encode(value: Any, *, pretty: bool = False) -> bytes:
    """Write JSON. Raises `ValueError` or another for what cannot be written."""
    return to_json(value, indent=2 if pretty else None, inf_nan_mode="null")


def can_encode(value: Any) -> bool:
    """Whether this can be written as JSON; a mapping counts as the object that it makes."""
    try:
        encode(dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value)
    except Exception:
        return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is beyond all bounds")
    return number


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _too_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        level = [child for each in level for child in _children(each)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if is_object(value):
        return list(value.values())
    return value if is_list(value) else []


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
