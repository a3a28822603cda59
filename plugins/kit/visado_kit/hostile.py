"""Values that clients should not send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from visado_kit.client_request import ClientRequest

UNKNOWN_USER_ID: Final = "kuid-of-nobody-0"
"""The id of a user who does not exist."""


def _nested(depth: int) -> Any:
    value: Any = "deep"
    for _ in range(depth):
        value = [value]
    return value


_NUMBERS: Final = (0, -1, 42, 1.5, float("nan"), float("inf"), 10**5_000)
_TEXTS: Final = ("", " ", "\0", "\r\nSet-Cookie: a=b", "\x1b[2J", "\ud800", "\udfff\ud800", "a" * 100_000)
_INJECTIONS: Final = (
    "*",
    "*)(uid=*))(|(uid=*",
    "' OR '1'='1",
    "../../etc/passwd",
    "{{username}}",
    "%00",
    "\uff0d\uff11",
)
_LISTS: Final[tuple[Any, ...]] = ([], [None], ["a", "b"], _nested(500))
_OBJECTS: Final[tuple[Any, ...]] = ({}, {"a": 1}, {"$ne": None}, {"username": {"username": "a"}})
HOSTILE_VALUES: Final[tuple[Any, ...]] = (None, True, False, *_NUMBERS, *_TEXTS, *_INJECTIONS, *_LISTS, *_OBJECTS)
"""Values to send where a plugin expects a text: other types, control characters, injections, lone surrogates."""
HOSTILE_HEADERS: Final = (
    *("", " ", "Basic", "Basic =?", "Basic /w==", "Bearer", "Bearer a.b.c", "Negotiate", "Negotiate YII=", "\xff\xfe"),
    *(",", "a=b, a=b", '"', "a" * 8_000, *(each for each in _INJECTIONS if each.isascii())),
)
"""Values to send in a header or a cookie: of another scheme, cut, of another encoding, injections."""
HOSTILE_ADDRESSES: Final = (None, "", "::1", "fe80::1%eth0", "::ffff:127.0.0.1", "999.1.1.1", "an-address", "unix:")
_NOISE: Final[tuple[Any, ...]] = (None, 42, "\ud800", "*", "", [], {"a": 1})
_NOISE_NAMES: Final = ("state", "code", "error", "challenge", "RelayState", "SAMLResponse", "user", "kuid")


def hostile_requests(right: ClientRequest) -> Iterator[tuple[str, ClientRequest]]:
    """Yield the requests in which one part of a right request is hostile, with the name of the part."""
    body = right.members
    value: Any
    for name, sent in body.items():
        for value in _others(HOSTILE_VALUES, sent):
            yield name, replace(right, body={**body, name: value})
    if len(body) > 1:
        for value in HOSTILE_VALUES:
            yield "", replace(right, body=dict.fromkeys(body, value))
    for name, sent in right.args.items():
        for value in _others(HOSTILE_VALUES, sent):
            yield name, replace(right, args={**right.args, name: value})
    for name, sent in right.headers.items():
        for text in _others(HOSTILE_HEADERS, sent):
            yield name, replace(right, headers={**right.headers, name: text})
    for name, sent in right.cookies.items():
        for text in _others(HOSTILE_HEADERS, sent):
            yield name, replace(right, cookies={**right.cookies, name: text})


def noisy_requests(right: ClientRequest, members: tuple[str, ...]) -> Iterator[ClientRequest]:
    """Yield right requests with hostile parts beside the right ones: a login may succeed, and raises no 5xx.

    `members` are those that the body may have beside those of the right request.
    """
    body = right.members
    for name in (*members, *_NOISE_NAMES):
        if name not in body:
            yield from (replace(right, body={**body, name: value}) for value in _NOISE)
        if name not in right.args:
            yield from (replace(right, args={**right.args, name: value}) for value in _NOISE)
    yield from (replace(right, address=address) for address in HOSTILE_ADDRESSES)
    for text in HOSTILE_HEADERS:
        yield replace(right, headers={"authorization": text, "x-forwarded-for": text, **right.headers})
        yield replace(right, cookies={"session": text, **right.cookies})


def _others(values: tuple[Any, ...], sent: Any) -> Iterator[Any]:
    return (each for each in values if each != sent)
