"""What may differ between two good answers to one question, taken out of both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TOKEN = re.compile(r"(kauth-|kapikey-)?eyJ[\w-]+\.[\w-]+\.[\w-]*")
_KUID = re.compile(r"kuid-[a-z]+-[a-z]+-\d+")
_PARSER = re.compile(r"((?:body|header) to JSON|unexpected (?:HTTP|WebSocket) error).*", re.DOTALL)
_DROPPED = frozenset({"stack", "node", "memoryUsed", "uptime", "optimizedPolicies", "deprecations"})
_RANDOM = frozenset({"scrollId", "resetToken", "fingerprint"})
_THIS_CENTURY = 1.5e12
_LISTED = ("auth", "security")


def masked(value: Any, key: str = "") -> Any:
    """Put names for times, tokens and generated ids, and leave out what a client has no use for."""
    if isinstance(value, dict):
        members = {
            name: masked(each, name)
            for name, each in value.items()
            if name not in _DROPPED and not (name == "author" and each is None)
        }
        if isinstance(members.get("errors"), list):  # in the order in which they happened
            members["errors"].sort(key=json.dumps)
        return members
    if isinstance(value, list):
        if key == "strategies" and value == [[]]:
            return []
        if key == "props" and value[-1:] == ["-1"]:
            value = value[:-1]
        return [masked(each, key) for each in value]
    if isinstance(value, str):
        return f"<{key}>" if key in _RANDOM else _masked_text(value, key)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return "<ms>" if number and value > _THIS_CENTURY else value


def _masked_text(text: str, key: str) -> str:
    if key == "message":
        text = _PARSER.sub(r"\1", text.replace(". -1", "."))
    text = _TOKEN.sub(lambda found: f"{found[1] or ''}<jwt>", text)
    text = _KUID.sub("<kuid>", _UUID.sub("<uuid>", text))
    return re.sub(r"Expires=[^;]+", "Expires=<date>", text)


def listed(value: Any) -> Any:
    """Of a list of the whole API, keep the two controllers that are recorded."""
    if not isinstance(value, dict):
        return value
    if "serverInfo" in value:
        routes = value["serverInfo"].get("kuzzle", {}).get("api", {}).get("routes", {})
        return {"serverInfo": {"kuzzle": {"api": {"routes": listed(routes)}}}}
    return {name: value[name] for name in _LISTED} if all(name in value for name in _LISTED) else value


def cookie(text: str) -> str:
    """Sort the attributes of a cookie; `Secure` and `Max-Age` are ours to add."""
    first, *rest = (part.strip() for part in text.split(";"))
    return "; ".join([first, *sorted(part for part in rest if not part.lower().startswith(("secure", "max-age")))])


def error_of(body: Any) -> dict[str, Any] | None:
    """Find the error of an envelope, or a bare one."""
    found = body.get("error", body) if isinstance(body, dict) else None
    return found if isinstance(found, dict) and {"message", "status"} <= found.keys() and "type" not in found else None


def dig(value: Any, path: str) -> Any:
    """Take what stands at a dotted path; None where there is nothing."""
    for part in path.split("."):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping):
            value = value.get(part)
        else:
            return None
    return value


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Flatten a value, so that differences can be named."""
    if value and isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, f"{path}/{name}")
    elif value and isinstance(value, list):
        for index, each in enumerate(value):
            yield from leaves(each, f"{path}/{index}")
    else:
        yield path or "/", value


def differences(expected: Any, got: Any) -> list[str]:
    """Name every leaf in which two values differ."""
    one, other = dict(leaves(expected)), dict(leaves(got))
    pairs = [
        (path, one.get(path, "<absent>"), other.get(path, "<absent>")) for path in sorted(one.keys() | other.keys())
    ]
    return [f"{path}: expected {a!r}, got {b!r}" for path, a, b in pairs if (type(a), a) != (type(b), b)]
