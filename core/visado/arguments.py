"""The types of the arguments of actions, and the reading of their values from requests.

An action declares its arguments as annotated parameters, such as `id: Id` or `size: Integer = 10`. The rules are those
of `docs/api.md`.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Annotated, Any, Final, TypeAlias, get_args, get_origin, get_type_hints

from visado import errors, kuzzle
from visado.codec import are_texts, is_list, is_object
from visado.request import Fields, Request
from visado.settings.durations import parse_lifetime

Reader: TypeAlias = Callable[[Any, str, bool], Any]
"""From a value, its name on the wire and whether it comes from a URL, return the Python value. Raises an error."""


class ArgumentPlace(Enum):
    """The part of a request that contains an argument."""

    ARGS = "args"
    BODY = "body"
    WHOLE = "whole body"


class ArgumentReading(Enum):
    """Who validates an argument: the host before the action runs, or the action, whose other errors then win."""

    AT_ONCE = "before the action"
    DEFERRED = "by the action"


@dataclass(frozen=True, slots=True, eq=False)
class ArgumentType:
    """A type of arguments: its name in errors, how to read a value, its JSON schema, and whether null is a value."""

    expected: str
    read: Reader
    schema: Fields
    null: bool = False


def _wrong(name: str, expected: str) -> errors.InvalidType:
    return errors.InvalidType(argument=name, expected=expected)


def _read_text(value: Any, name: str, textual: bool) -> str:  # noqa: ARG001
    if not isinstance(value, str):
        raise _wrong(name, "string")
    return value


def _read_id(value: Any, name: str, textual: bool) -> str:
    if value == "":
        raise errors.MissingArgument(argument=name)
    return _read_text(value, name, textual)


_FLAGS: Final = {"": True, "true": True, "1": True, "false": False, "0": False}


def _read_flag(value: Any, name: str, textual: bool) -> bool:
    if isinstance(value, bool):
        return value
    if textual and isinstance(value, str) and value in _FLAGS:
        return _FLAGS[value]
    raise _wrong(name, "boolean")


_LEADING_NUMBER: Final = re.compile(r"\s*([+-]?\d{1,16})", re.ASCII)
_MAX_INTEGER: Final = 2**53
"""The first integer that a JSON number cannot represent exactly."""


def _read_integer(value: Any, name: str, textual: bool) -> int:  # noqa: ARG001
    number: int | None = None
    if isinstance(value, str):
        match = _LEADING_NUMBER.match(value)
        number = int(match[1]) if match else None
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and value % 1 == 0:
        number = int(value)
    if number is None or abs(number) >= _MAX_INTEGER:
        raise _wrong(name, "integer")
    return number


def _from_text(value: str, expected: type) -> Any:
    """Return the JSON value of a text from a URL if it is of this type, or else the text."""
    try:
        read: Any = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return read if isinstance(read, expected) else value


def _read_object(value: Any, name: str, textual: bool) -> Fields:
    if textual and isinstance(value, str):
        value = _from_text(value, dict)
    if not is_object(value):
        raise _wrong(name, "object")
    return value


def _read_array(value: Any, name: str, textual: bool) -> list[Any]:
    if textual and isinstance(value, str):
        value = _from_text(value, list)
    if not is_list(value):
        raise _wrong(name, "array")
    return value


def _read_texts(value: Any, name: str, textual: bool) -> list[str]:
    items = _read_array(value, name, textual)
    if not are_texts(items):
        raise _wrong(name, "array")
    return items


def _read_list(value: Any, name: str, textual: bool) -> list[str]:
    """Return the items of an array, of its JSON text, or of a text with commas, which older clients send."""
    if isinstance(value, str):
        value = _from_text(value, list)
    return value.split(",") if isinstance(value, str) else _read_texts(value, name, textual)


def _read_anything(value: Any, name: str, textual: bool) -> Any:  # noqa: ARG001
    return value


_EXPECTED_DURATION: Final = "a number of milliseconds, or a parsable timespan string"


def _read_duration(value: Any, name: str, textual: bool) -> int | None:
    if value is None or value == "" or (type(value) in (int, float) and value == 0):
        return None
    return _read_strict_duration(value, name, textual)


def _read_strict_duration(value: Any, name: str, textual: bool) -> int:  # noqa: ARG001
    lifetime = parse_lifetime(value)
    if lifetime is None:
        raise errors.InvalidArgument(argument=name, expected=_EXPECTED_DURATION)
    return lifetime


_DURATION_SCHEMA: Final[Fields] = {
    "type": ["integer", "string"],
    "description": "A number of milliseconds, or a text such as `6d` or `10h`; -1 for ever.",
}
TEXT: Final = ArgumentType("string", _read_text, {"type": "string"})
ID: Final = ArgumentType("string", _read_id, {"type": "string", "minLength": 1})
FLAG: Final = ArgumentType("boolean", _read_flag, {"type": "boolean"})
INTEGER: Final = ArgumentType("integer", _read_integer, {"type": "integer"}, null=True)
OBJECT: Final = ArgumentType("object", _read_object, {"type": "object"})
ARRAY: Final = ArgumentType("array", _read_array, {"type": "array", "items": {}})
TEXTS: Final = ArgumentType("array", _read_texts, {"type": "array", "items": {"type": "string"}})
LIST: Final = ArgumentType("array", _read_list, {"type": "array", "items": {"type": "string"}})
DURATION: Final = ArgumentType("duration", _read_duration, _DURATION_SCHEMA)
STRICT_DURATION: Final = ArgumentType("duration", _read_strict_duration, _DURATION_SCHEMA, null=True)
ANYTHING: Final = ArgumentType("anything", _read_anything, {})

Text = Annotated[str, TEXT]
"""A string."""
Id = Annotated[str, ID]
"""A string that is not empty."""
Flag = Annotated[bool, FLAG]
"""A boolean. In a URL also `1`, `0`, or the name without a value, which is true."""
Integer = Annotated[int, INTEGER]
"""An integer, or a string that begins with one."""
List = Annotated[list[str], LIST]
"""A list of strings, or a string with commas."""
Duration = Annotated[int | None, DURATION]
"""A lifetime in milliseconds; -1 for ever. Null, an empty string and 0 become None, which stands for the default."""
StrictDuration = Annotated[int | None, STRICT_DURATION]
"""A lifetime in milliseconds; -1 for ever. Null, an empty string and 0 are invalid."""
BodyText = Annotated[str, TEXT, ArgumentPlace.BODY]
"""A string in the body."""
BodyObject = Annotated[Fields, OBJECT, ArgumentPlace.BODY]
"""An object in the body."""
BodyArray = Annotated[list[Any], ARRAY, ArgumentPlace.BODY]
"""An array in the body."""
BodyTexts = Annotated[list[str], TEXTS, ArgumentPlace.BODY]
"""An array of strings in the body."""
BodyAny = Annotated[Any, ANYTHING, ArgumentPlace.BODY]
"""Any value in the body."""
Body = Annotated[Fields, OBJECT, ArgumentPlace.WHOLE]
"""The whole body, which is an object."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument of an action: its names in Python and on the wire, its place, its type and its default."""

    name: str
    wire: str
    place: ArgumentPlace
    type: ArgumentType
    required: bool
    default: Any

    def read(self, request: Request) -> Any:
        """Return the argument's value in a request. Raises an error for a missing or invalid value."""
        if self.place is ArgumentPlace.ARGS:
            value = request.args.get(self.wire)
            if value is None and (self.wire not in request.args or not self.type.null):
                return self._absent(self.wire)
            return self.type.read(value, self.wire, request.textual)
        if request.body is None:
            if self.required:
                raise errors.BodyRequired
            return self.default
        if self.place is ArgumentPlace.WHOLE:
            return self.type.read(request.body, self.wire, False)
        if self.wire not in request.fields:
            return self._absent(f"body.{self.wire}")
        return self.type.read(request.fields[self.wire], f"body.{self.wire}", False)

    def _absent(self, name: str) -> Any:
        if self.required:
            raise errors.MissingArgument(argument=name)
        return self.default


def parameters(handler: Callable[..., Any]) -> tuple[Parameter, ...]:
    """Return the arguments that an action declares: every annotated parameter after `self` and `request`.

    Raises `TypeError` for a parameter without an `ArgumentType`.
    """
    hints = get_type_hints(handler, include_extras=True)
    declared: list[Parameter] = []
    for name, parameter in list(inspect.signature(handler).parameters.items())[2:]:
        required = parameter.default is inspect.Parameter.empty
        marks = _marks(hints[name])
        argument_type = next((mark for mark in marks if isinstance(mark, ArgumentType)), None)
        if argument_type is None:
            raise TypeError(
                f"{handler.__qualname__}: the parameter {name!r} has no type of visado.arguments, such as Text"
            )
        if ArgumentReading.DEFERRED in marks:
            argument_type = replace(argument_type, read=_read_anything)
        place = next((mark for mark in marks if isinstance(mark, ArgumentPlace)), ArgumentPlace.ARGS)
        default = None if required else parameter.default
        wire = next((mark for mark in marks if isinstance(mark, str)), kuzzle.argument_name(name))
        declared.append(Parameter(name, wire, place, argument_type, required, default))
    return tuple(declared)


def _marks(hint: Any) -> tuple[Any, ...]:
    """Return the metadata of `Annotated[...]`, also inside a union such as `Text | None`."""
    if get_origin(hint) is Annotated:
        return get_args(hint)[1:]
    return next((marks for part in get_args(hint) if (marks := _marks(part))), ())
