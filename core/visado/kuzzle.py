"""Peculiarities of Kuzzle's protocol: its version, the versions of its SDKs, payloads, targets, names in camelCase."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from visado import errors
from visado.codec import is_object
from visado.request import Connection, Fields, Malformed, Request, new_id

PROTOCOL_VERSION: Final = "2.56.0"
"""The version that the host tells its clients. Clients and their tools read the first number."""

_MINIMUM_SDK_VERSIONS: Final = {
    "js": "7",
    "csharp": "2",
    "cpp": "2",
    "java": "3",
    "android": "5",
    "go": "3",
    "php": "4",
}


_RESERVED_MEMBERS: Final = frozenset({"jwt", "volatile", "body", "controller", "action"})
_MEMBER_TYPES: Final = (
    ("controller", (str,), "string"),
    ("action", (str,), "string"),
    ("jwt", (str,), "string"),
    ("requestId", (str,), "string"),
    ("volatile", (dict,), "object"),
    ("body", (dict, list), "object or array"),
)


def check_client(volatile: Fields | None) -> None:
    """Raise `IncompatibleSdkVersion` if the volatile data names an SDK of an older protocol."""
    if not volatile:
        return
    version: Any = volatile.get("sdkVersion")
    if version:
        raise errors.IncompatibleSdkVersion(version=version, requirement="Kuzzle v2")
    sdk = volatile.get("sdkName")
    if isinstance(sdk, str):
        name, _, version = sdk.partition("@")
        minimum = _MINIMUM_SDK_VERSIONS.get(name)
        if minimum is not None and version[:1] < minimum:
            raise errors.IncompatibleSdkVersion(version=version, requirement=f"min: {minimum}, max: none")


def check_targets(arguments: Fields) -> None:
    """Raise `MutuallyExclusive` or `InvalidType` if the argument `targets` is invalid. No action uses its value."""
    if arguments.get("targets") is None:
        return
    if "index" in arguments or "collection" in arguments:
        raise errors.MutuallyExclusive(first="index, collection", second="targets")
    if not isinstance(arguments["targets"], list):
        raise errors.InvalidType(argument="targets", expected="array")


def from_payload(payload: Any, connection: Connection, request_id: str | None = None) -> Request:
    """Return the request of a payload: a WebSocket message, or the body of `POST /_query`.

    Over HTTP, `request_id` takes the place of the payload's own id. Raises `Malformed`.
    """
    if not is_object(payload):
        error = errors.InvalidType(argument="request", expected="object")
        raise Malformed(error, request_id or new_id())
    fields = payload
    used_id = request_id or fields.get("requestId") or new_id()
    for name, types, expected in _MEMBER_TYPES:
        value = fields.get(name)
        if value is not None and not isinstance(value, types):
            raise Malformed(errors.InvalidType(argument=name, expected=expected), used_id)
    return Request(
        id=used_id,
        controller=fields.get("controller"),
        action=fields.get("action"),
        args={name: value for name, value in fields.items() if name not in _RESERVED_MEMBERS},
        body=fields.get("body"),
        volatile=fields.get("volatile"),
        jwt=fields.get("jwt"),
        connection=connection,
    )


def action_name(method: str) -> str:
    """Return the name of the action that a method implements: `get_user` is `getUser`."""
    first, *rest = method.rstrip("_").split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def argument_name(parameter: str) -> str:
    """Return the name of the argument that a parameter receives: `user_id` is `userId`, `id` is `_id`."""
    if parameter == "id":
        return "_id"
    first, *rest = parameter.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


def is_allowed(payload: Fields, request: Request, allows: Callable[[str, str, Fields], bool]) -> bool:
    """Return whether a request payload is allowed, by a function of its controller, action and arguments.

    Raises `MissingArgument` for a payload without controller or action, and the error of a malformed payload.
    """
    for name in ("controller", "action"):
        if not isinstance(payload.get(name), str):
            raise errors.MissingArgument(argument=f"body.{name}")
    try:
        checked = from_payload(payload, request.connection, request.id)
    except Malformed as malformed:
        raise malformed.error from None
    return allows(payload["controller"], payload["action"], checked.args)
