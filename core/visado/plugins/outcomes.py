"""What plugins may return from a login: their types are not checked before they run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final, cast

from visado import codec
from visado.request import are_header_texts
from visado.strategy import Challenge, Fail, Identity, Pass, Redirect, Success

MAX_STEP_SECONDS: Final = 3_600
MAX_TRIES: Final = 1_000
MAX_SUBJECT_CHARACTERS: Final = 1_024
MAX_JSON_DEPTH: Final = 48
"""How deep what a plugin returns may be: a storage takes 64 levels, and the host adds some."""
MAX_TIME: Final = 2**53 - 1
_SUCCESS_HEADERS: Final = frozenset({"www-authenticate", "authentication-info"})


def is_outcome(value: object) -> bool:
    """Return whether a plugin returned an outcome that can be sent and stored: header values have no line breaks."""
    match value:
        case Success():
            return _is_success(value)
        case Fail():
            return _is_text(value.reason) and _are_header_values(value.www_authenticate, value.cookies)
        case Redirect():
            return _is_redirect(value)
        case Challenge():
            return is_challenge(value)
        case Pass():
            return value.to is None or _is_text(value.to)
        case _:
            return False


def is_challenge(challenge: Challenge) -> bool:
    """Return whether the challenge of a strategy or a login check can be sent and stored."""
    if not _is_text(challenge.reason):
        return False
    if type(challenge.tries) is not int or not 0 < challenge.tries <= MAX_TRIES:
        return False
    if not _is_lifetime(challenge.lifetime) or type(challenge.enrols) is not bool:
        return False
    if not _are_header_values(challenge.www_authenticate, challenge.cookies):
        return False
    return is_json(challenge.data) and is_json(challenge.state)


def is_identity(value: object) -> bool:
    """Return whether a plugin returned an identity that can be stored."""
    if not isinstance(value, Identity):
        return False
    if not _is_text(value.subject) or not 0 < len(value.subject) <= MAX_SUBJECT_CHARACTERS:
        return False
    return is_json(value.profile) and is_json(value.kept) and (value.profiles is None or _are_texts(value.profiles))


def are_methods(value: object) -> bool:
    """Return whether a plugin returned a set of names of methods."""
    return isinstance(value, frozenset) and _are_texts(tuple(cast("frozenset[object]", value)))


def is_json(value: object) -> bool:
    """Return whether a value is a mapping that JSON can express, so that a storage returns what was stored."""
    if not isinstance(value, Mapping):
        return False
    if not value:
        return True
    try:
        codec.decode(json.dumps(_plain(cast("object", value), 0), allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _plain(value: object, depth: int) -> object:
    """Return a JSON value with plain objects for mappings. Raises `TypeError` for what JSON does not express."""
    if depth > MAX_JSON_DEPTH:
        raise ValueError("too deep")
    if isinstance(value, Mapping):
        members = cast("Mapping[object, object]", value)
        if not all(type(each) is str for each in members):
            raise TypeError("a name is no text")
        return {name: _plain(each, depth + 1) for name, each in members.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each, depth + 1) for each in cast("Iterable[object]", value)]
    return value


def _is_success(success: Success) -> bool:
    if isinstance(success.who, Identity) and not is_identity(success.who):
        return False
    if success.location is not None and not are_header_texts((success.location,)):
        return False
    if success.expires_at is not None and not _is_time(success.expires_at):
        return False
    if success.actor is not None and not _is_text(success.actor):
        return False
    if not are_methods(success.methods) or not _are_header_values(success.cookies):
        return False
    return is_json(success.session) and is_json(success.data) and _are_headers(success.headers)


def _are_headers(headers: object) -> bool:
    if not isinstance(headers, Mapping):
        return False
    pairs = cast("Mapping[object, object]", headers)
    names = [each.lower() if isinstance(each, str) else "" for each in pairs]
    return _SUCCESS_HEADERS.issuperset(names) and _are_header_values(tuple(pairs.values()))


def _is_redirect(redirect: Redirect) -> bool:
    known = type(redirect.status) is int and (redirect.status == 200 or 300 <= redirect.status < 400)  # noqa: PLR2004
    if not known or not are_header_texts((redirect.location,)) or not _are_header_values(redirect.cookies):
        return False
    if not _is_lifetime(redirect.lifetime) or type(redirect.same_client) is not bool:
        return False
    if redirect.state is not None and not is_json(redirect.state):
        return False
    return is_json(redirect.data) and (redirect.post is None or _are_form_fields(redirect.post))


def _are_form_fields(fields: object) -> bool:
    if not isinstance(fields, Mapping):
        return False
    pairs = cast("Mapping[object, object]", fields)
    return all(_is_text(each) for pair in pairs.items() for each in pair)


def _is_lifetime(seconds: object) -> bool:
    return type(seconds) in (int, float) and 0 < cast("float", seconds) <= MAX_STEP_SECONDS


def _is_time(value: object) -> bool:
    """Return whether this is a time in ms since 1970 that every JSON reader takes."""
    return type(value) is int and abs(value) <= MAX_TIME


def _is_text(value: object) -> bool:
    """Return whether this is a text that can be stored and sent: without half of a surrogate pair."""
    return isinstance(value, str) and codec.can_encode(value)


def _are_header_values(*groups: object) -> bool:
    """Return whether these are tuples of texts that fit into headers, which are written as Latin-1."""
    return all(
        are_header_texts(values) and all(each.isascii() or _is_latin(each) for each in cast("tuple[str, ...]", values))
        for values in groups
    )


def _is_latin(text: str) -> bool:
    return max(text) <= "\xff"


def _are_texts(values: object) -> bool:
    if not isinstance(values, tuple):
        return False
    return all(_is_text(each) and each for each in cast("tuple[object, ...]", values))
