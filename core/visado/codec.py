"""JSON, as strict as the protocol demands, and type guards for decoded values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final, TypeGuard, cast

from pydantic_core import to_json

_MAX_DEPTH: Final = 100


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Return whether a value is a JSON object."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Return whether a value is a JSON array."""
    return isinstance(value, list)


def are_texts(value: Any) -> TypeGuard[list[str]]:
    """Return whether a value is a JSON array of strings."""
    return is_list(value) and all(isinstance(item, str) for item in value)


def decode(data: bytes) -> Any:
    """Decode JSON.

    Raises `ValueError` for malformed JSON, and for JSON that is not UTF-8, nested more than 100 levels deep, or has a
    duplicate key, a number that is not finite, or half of a surrogate pair.
    """
    try:
        value = _DECODER.decode(data.decode())
    except RecursionError:
        raise ValueError("too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(_message(error)) from None
    if data.count(b"{") + data.count(b"[") > _MAX_DEPTH and _is_too_deep(value):
        raise ValueError("too deep")
    if b"\\ud" in data.lower():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair") from None
    return value


def _message(error: json.JSONDecodeError) -> str:
    """Return the message of an error in the words that clients of the protocol know."""
    if error.pos >= len(error.doc):
        return "Unexpected end of JSON input"
    if "property name" in error.msg:
        return f"Expected property name or '}}' in JSON at position {error.pos}"
    return f"Unexpected token in JSON at position {error.pos}"


def encode(value: Any, *, pretty: bool = False) -> bytes:
    """Encode a value as JSON. Raises `ValueError` or another exception if JSON cannot represent the value."""
    return to_json(value, indent=2 if pretty else None, inf_nan_mode="null")


def can_encode(value: Any) -> bool:
    """Return whether JSON can represent a value; a mapping is encoded as an object."""
    try:
        encode(dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value)
    except Exception:
        return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate key in an object")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _is_too_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(_MAX_DEPTH):
        level = [child for each in level for child in _children(each)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if is_object(value):
        return list(value.values())
    return value if is_list(value) else []


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)
