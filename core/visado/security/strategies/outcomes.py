"""What a strategy may return: a plugin's types are not checked before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from visado import codec
from visado.request import are_header_texts
from visado.strategy import Challenge, Fail, Identity, Pass, Redirect, Success

MAX_STEP_SECONDS: Final = 3_600
MAX_TRIES: Final = 1_000
MAX_SUBJECT_CHARACTERS: Final = 1_024
_SUCCESS_HEADERS: Final = frozenset({"www-authenticate", "authentication-info"})


def is_outcome(value: object) -> bool:
    """Return whether a plugin returned an outcome that can be sent and stored: header values have no line breaks."""
    match value:
        case Success():
            return _is_success(value)
        case Fail():
            return are_header_texts(value.www_authenticate) and are_header_texts(value.cookies)
        case Redirect():
            return _is_redirect(value)
        case Challenge():
            return is_challenge(value)
        case Pass():
            return value.to is None or type(value.to) is str
        case _:
            return False


def is_challenge(challenge: Challenge) -> bool:
    """Return whether the challenge of a strategy or a login check can be sent and stored."""
    if not isinstance(cast("object", challenge.reason), str):
        return False
    if type(challenge.tries) is not int or not 0 < challenge.tries <= MAX_TRIES:
        return False
    if not _is_lifetime(challenge.lifetime) or type(challenge.enrols) is not bool:
        return False
    if not are_header_texts(challenge.www_authenticate) or not are_header_texts(challenge.cookies):
        return False
    return is_json(challenge.data) and is_json(challenge.state)


def is_identity(value: object) -> bool:
    """Return whether a plugin returned an identity that can be stored."""
    if not isinstance(value, Identity):
        return False
    subject: object = value.subject
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS or not codec.can_encode(subject):
        return False
    return is_json(value.profile) and is_json(value.kept) and (value.profiles is None or _are_texts(value.profiles))


def are_methods(value: object) -> bool:
    """Return whether a plugin returned a set of names of methods."""
    return isinstance(value, frozenset) and _are_texts(tuple(cast("frozenset[object]", value)))


def is_json(value: object) -> bool:
    """Return whether a value is a mapping that JSON can express."""
    return isinstance(value, Mapping) and (not value or codec.can_encode(cast("Mapping[str, Any]", value)))


def _is_success(success: Success) -> bool:
    if isinstance(success.who, Identity) and not is_identity(success.who):
        return False
    if success.location is not None and not are_header_texts((success.location,)):
        return False
    if success.expires_at is not None and type(success.expires_at) is not int:
        return False
    if success.actor is not None and not isinstance(cast("object", success.actor), str):
        return False
    if not are_methods(success.methods) or not are_header_texts(success.cookies):
        return False
    return is_json(success.session) and is_json(success.data) and _are_headers(success.headers)


def _are_headers(headers: object) -> bool:
    if not isinstance(headers, Mapping):
        return False
    pairs = cast("Mapping[object, object]", headers)
    names = [each.lower() if isinstance(each, str) else "" for each in pairs]
    return _SUCCESS_HEADERS.issuperset(names) and are_header_texts(tuple(pairs.values()))


def _is_redirect(redirect: Redirect) -> bool:
    known = type(redirect.status) is int and (redirect.status == 200 or 300 <= redirect.status < 400)  # noqa: PLR2004
    if not known or not are_header_texts((redirect.location,)) or not are_header_texts(redirect.cookies):
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
    return all(isinstance(each, str) for pair in pairs.items() for each in pair)


def _is_lifetime(seconds: object) -> bool:
    return isinstance(seconds, (int, float)) and 0 < seconds <= MAX_STEP_SECONDS


def _are_texts(values: object) -> bool:
    if not isinstance(values, tuple):
        return False
    return all(isinstance(each, str) and each for each in cast("tuple[object, ...]", values))
