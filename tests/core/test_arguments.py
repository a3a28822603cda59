from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visado import errors
from visado.arguments import (
    ARRAY,
    DURATION,
    FLAG,
    ID,
    INTEGER,
    LIST,
    OBJECT,
    STRICT_DURATION,
    TEXT,
    TEXTS,
    ArgumentPlace,
    ArgumentType,
    Body,
    BodyText,
    Flag,
    Id,
    Integer,
    Text,
    parameters,
)
from visado.request import Request

INVALID, MISSING, BAD = "api.assert.invalid_type", "api.assert.missing_argument", "api.assert.invalid_argument"


def read(kind: ArgumentType, value: Any, textual: bool = False) -> Any:
    """Read a value, or return the id of the refusal."""
    try:
        return kind.read(value, "x", textual)
    except errors.VisadoError as error:
        return error.id


@pytest.mark.parametrize(
    ("value", "default", "lifetime"),
    [
        (1000, 1000, 1000), ("1s", 1000, 1000), (-1, -1, -1), ("-1", -1, -1), ("-1ms", -1, -1), (1500.5, 1500, 1500),
        (0, None, BAD), ("", None, BAD), (None, None, BAD), ("0", BAD, BAD), ("garbage", BAD, BAD), (-2, BAD, BAD),
        ("-5s", BAD, BAD), (True, BAD, BAD), (False, BAD, BAD), ([], BAD, BAD), ({}, BAD, BAD), (0.5, BAD, BAD),
        (float("inf"), BAD, BAD), (10**400, BAD, BAD), (2**53, BAD, BAD), ("9" * 100, BAD, BAD),
    ],
)  # fmt: skip
def test_lifetimes(value, default, lifetime):
    assert read(DURATION, value) == default
    assert read(STRICT_DURATION, value) == lifetime


@pytest.mark.parametrize(
    ("value", "textual", "expected"),
    [
        (True, False, True), (False, False, False), ("true", False, INVALID), (1, False, INVALID), ("", True, True),
        ("true", True, True), ("1", True, True), ("false", True, False), ("0", True, False), ("yes", True, INVALID),
        (["true"], True, INVALID), (None, True, INVALID), ({}, True, INVALID),
    ],
)  # fmt: skip
def test_flags(value, textual, expected):
    assert read(FLAG, value, textual) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0), (7, 7), (7.0, 7), (7.5, INVALID), ("2abc", 2), (" 3", 3), ("abc", INVALID), ("", INVALID),
        ("-4", -4), ("9" * 16, 9_999_999_999_999_999 if 9_999_999_999_999_999 < 2**53 else INVALID), (True, INVALID),
        (None, INVALID), ([], INVALID), (2**53, INVALID), (10**4000, INVALID), ("٣", INVALID),
        (float("inf"), INVALID), (float("-inf"), INVALID), (float("nan"), INVALID),
    ],
)  # fmt: skip
def test_integers(value, expected):
    assert read(INTEGER, value) == expected


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text())))
def test_no_kind_fails_otherwise_than_with_an_error_of_the_wire(value):
    for kind in (TEXT, ID, FLAG, INTEGER, OBJECT, ARRAY, TEXTS, LIST, DURATION, STRICT_DURATION):
        for textual in (True, False):
            read(kind, value, textual)


@pytest.mark.parametrize(
    ("kind", "value", "textual", "expected"),
    [
        (TEXT, "a", False, "a"), (TEXT, 1, False, INVALID), (ID, "", False, MISSING), (ID, 1, False, INVALID),
        (OBJECT, {"a": 1}, False, {"a": 1}), (OBJECT, '{"a": 1}', True, {"a": 1}), (OBJECT, '{"a": 1}', False, INVALID),
        (OBJECT, "[1]", True, INVALID), (ARRAY, "[1]", True, [1]), (ARRAY, "[" * 9999, True, INVALID),
        (ARRAY, {}, False, INVALID), (TEXTS, ["a", 1], False, INVALID), (TEXTS, ["a"], False, ["a"]),
        (LIST, "a,b", False, ["a", "b"]), (LIST, '["a"]', True, ["a"]), (LIST, "[1]", False, INVALID),
        (LIST, 5, False, INVALID),
    ],
)  # fmt: skip
def test_other_kinds(kind, value, textual, expected):
    assert read(kind, value, textual) == expected


class Example:
    async def act(
        self, request: Request, id: Id, name: BodyText, whole: Body, on_top: Flag = False, from_: Integer = 3,
        other: Text | None = None,
    ) -> None:  # fmt: skip
        """Do nothing."""


def declared() -> dict[str, Any]:
    return {each.name: each for each in parameters(Example.act)}


def test_declarations_are_read_from_the_signature():
    found = declared()
    assert [each.wire for each in found.values()] == ["_id", "name", "whole", "onTop", "from", "other"]
    assert found["name"].place is ArgumentPlace.BODY
    assert found["whole"].place is ArgumentPlace.WHOLE
    assert [each.required for each in found.values()] == [True, True, True, False, False, False]


def test_a_parameter_of_no_kind_is_refused_when_it_is_declared():
    async def act(self, request: Request, what: int) -> None:
        """Do nothing."""

    with pytest.raises(TypeError, match="what"):
        parameters(act)


def value(name: str, args: Any = None, body: Any = None) -> Any:
    try:
        return declared()[name].read(Request("1", "c", "a", args or {}, body))
    except errors.VisadoError as error:
        return (error.id, *error.props)


@pytest.mark.parametrize(
    ("name", "args", "body", "expected"),
    [
        ("id", {}, None, (MISSING, "_id")), ("id", {"_id": None}, None, (MISSING, "_id")),
        ("id", {"_id": ""}, None, (MISSING, "_id")), ("id", {"_id": 1}, None, (INVALID, "_id", "string")),
        ("name", {}, None, ("api.assert.body_required",)), ("name", {}, {}, (MISSING, "body.name")),
        ("name", {}, {"name": None}, (INVALID, "body.name", "string")), ("name", {}, {"name": ""}, ""),
        ("whole", {}, None, ("api.assert.body_required",)), ("whole", {}, {"a": 1}, {"a": 1}),
        ("on_top", {"onTop": None}, None, False), ("from_", {}, None, 3),
        ("from_", {"from": None}, None, (INVALID, "from", "integer")), ("other", {"other": None}, None, None),
    ],
)  # fmt: skip
def test_which_error_an_argument_gives(name, args, body, expected):
    assert value(name, args, body) == expected
