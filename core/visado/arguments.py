"""The arguments of actions: what the wire may hold, and how it becomes a Python value.

An action declares its arguments as annotated parameters; `Parameter` is what is read from one. The rules,
and which error wins, are those of `docs/api.md`.
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

Read: TypeAlias = Callable[[Any, str, bool], Any]
"""From a value, its name on the wire and whether it is text of a URL, to the Python value; raises `errors`."""


class Place(Enum):
    """Where an argument stands."""

    ARGS = "args"
    BODY = "body"
    WHOLE = "whole body"


class Reading(Enum):
    """Who reads an argument's value: the host before the action runs, or the action, whose other errors then win."""

    AT_ONCE = "before the action"
    DEFERRED = "by the action"


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of value: its name in errors, how to read it, its JSON schema, and whether null is a value too."""

    expected: str
    read: Read
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
_SAFE: Final = 2**53


def _read_integer(value: Any, name: str, textual: bool) -> int:  # noqa: ARG001
    number: int | None = None
    if isinstance(value, str):
        found = _LEADING_NUMBER.match(value)
        number = int(found[1]) if found else None
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and value % 1 == 0:
        number = int(value)
    if number is None or abs(number) >= _SAFE:
        raise _wrong(name, "integer")
    return number


def _from_text(value: Any, kind: type) -> Any:
    """Read JSON that stands in a URL, if it is of this kind; else the value as it is."""
    try:
        read: Any = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return read if isinstance(read, kind) else value


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
    """Read what older clients send for a list: an array, its JSON text, or a text with commas."""
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


TEXT: Final = Kind("string", _read_text, {"type": "string"})
ID: Final = Kind("string", _read_id, {"type": "string", "minLength": 1})
FLAG: Final = Kind("boolean", _read_flag, {"type": "boolean"})
INTEGER: Final = Kind("integer", _read_integer, {"type": "integer"}, null=True)
OBJECT: Final = Kind("object", _read_object, {"type": "object"})
ARRAY: Final = Kind("array", _read_array, {"type": "array", "items": {}})
TEXTS: Final = Kind("array", _read_texts, {"type": "array", "items": {"type": "string"}})
LIST: Final = Kind("array", _read_list, {"type": "array", "items": {"type": "string"}})
DURATION: Final = Kind("duration", _read_duration, {"type": ["integer", "string"]})
STRICT_DURATION: Final = Kind("duration", _read_strict_duration, {"type": ["integer", "string"]}, null=True)
ANYTHING: Final = Kind("anything", _read_anything, {})

Text = Annotated[str, TEXT]
Id = Annotated[str, ID]
Flag = Annotated[bool, FLAG]
Integer = Annotated[int, INTEGER]
List = Annotated[list[str], LIST]
Duration = Annotated[int | None, DURATION]
"""A lifetime in milliseconds, -1 for ever. None, the default, stands for null, an empty text and 0."""
StrictDuration = Annotated[int | None, STRICT_DURATION]
"""A lifetime in milliseconds, -1 for ever. Null, an empty text and 0 are refused."""
BodyText = Annotated[str, TEXT, Place.BODY]
BodyObject = Annotated[Fields, OBJECT, Place.BODY]
BodyArray = Annotated[list[Any], ARRAY, Place.BODY]
BodyTexts = Annotated[list[str], TEXTS, Place.BODY]
BodyAny = Annotated[Any, ANYTHING, Place.BODY]
Body = Annotated[Fields, OBJECT, Place.WHOLE]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of an action: its Python name, its name on the wire, its place, kind and default."""

    name: str
    wire: str
    place: Place
    kind: Kind
    required: bool
    default: Any

    def read(self, request: Request) -> Any:
        """Take the argument from a request. Raises the error that the wire contract names."""
        if self.place is Place.ARGS:
            value = request.args.get(self.wire)
            if value is None and (self.wire not in request.args or not self.kind.null):
                return self._absent(self.wire)
            return self.kind.read(value, self.wire, request.textual)
        if request.body is None:
            if self.required:
                raise errors.BodyRequired
            return self.default
        if self.place is Place.WHOLE:
            return self.kind.read(request.body, self.wire, False)
        if self.wire not in request.fields:
            return self._absent(f"body.{self.wire}")
        return self.kind.read(request.fields[self.wire], f"body.{self.wire}", False)

    def _absent(self, shown: str) -> Any:
        if self.required:
            raise errors.MissingArgument(argument=shown)
        return self.default


def parameters(handler: Callable[..., Any]) -> tuple[Parameter, ...]:
    """Read the declaration of an action: every annotated parameter after `self` and `request`."""
    hints = get_type_hints(handler, include_extras=True)
    found: list[Parameter] = []
    for name, parameter in list(inspect.signature(handler).parameters.items())[2:]:
        required = parameter.default is inspect.Parameter.empty
        marks = _marks(hints[name])
        kind = next((mark for mark in marks if isinstance(mark, Kind)), None)
        if kind is None:
            raise TypeError(f"{handler.__qualname__}: the parameter {name!r} is of no kind that the wire knows")
        if Reading.DEFERRED in marks:
            kind = replace(kind, read=_read_anything)
        place = next((mark for mark in marks if isinstance(mark, Place)), Place.ARGS)
        default = None if required else parameter.default
        wire = next((mark for mark in marks if isinstance(mark, str)), kuzzle.argument_name(name))
        found.append(Parameter(name, wire, place, kind, required, default))
    return tuple(found)


def _marks(hint: Any) -> tuple[Any, ...]:
    """Find the marks of `Annotated[...]`, also inside a union such as `Text | None`."""
    if get_origin(hint) is Annotated:
        return get_args(hint)[1:]
    return next((marks for part in get_args(hint) if (marks := _marks(part))), ())
