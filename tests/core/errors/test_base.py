from __future__ import annotations

import pytest

from visado import errors
from visado.errors import CATALOGUE, BadRequest, VisadoError

OURS = sorted((each for each in CATALOGUE.values() if each.__module__.startswith("visado.")), key=lambda each: each.id)


def test_message_and_props_come_from_the_values():
    error = errors.MutuallyExclusive(first="a", second="b")
    assert error.text == 'Arguments "a" and "b" are mutually exclusive'
    assert error.props == ["a", "b"]
    assert error.as_dict() == {
        "code": 0x02010005,
        "id": "api.assert.mutually_exclusive",
        "message": error.text,
        "props": ["a", "b"],
        "status": 400,
    }


def test_values_that_the_message_does_not_name_follow_in_props():
    assert errors.InvalidToken(extra=1).props == [1]


def test_a_placeholder_that_stands_twice_is_one_prop():
    class Twice(BadRequest, id="tests.errors.twice"):
        message = "{a} {b} {a}"

    try:
        assert Twice(a=1, b=2).props == [1, 2]
    finally:
        del CATALOGUE["tests.errors.twice"]


def test_braces_in_a_value_are_text():
    assert errors.UrlNotFound(path="/{cause}/{0}").text == "API URL not found: /{cause}/{0}."


def test_two_classes_of_one_id_are_refused_naming_both():
    with pytest.raises(TypeError, match=r"Other.*UserNotFound.*'security.user.not_found'"):

        class Other(BadRequest, id="security.user.not_found"):
            """Somebody else's."""


def test_the_parent_fixes_the_status():
    expected = {
        errors.BadRequest: 400,
        errors.Unauthorized: 401,
        errors.Forbidden: 403,
        errors.NotFound: 404,
        errors.PreconditionFailed: 412,
        errors.TooLarge: 413,
        errors.TooManyRequests: 429,
        errors.InternalError: 500,
        errors.PluginError: 500,
        errors.BadGateway: 502,
        errors.Unavailable: 503,
        errors.TimedOut: 504,
        errors.PartialFailure: 206,
    }
    for each in OURS:
        parent = next(cls for cls in expected if issubclass(each, cls))
        assert each.status == expected[parent], each.id


def test_codes_are_unique_and_ids_have_three_parts():
    assert len({each.code for each in OURS}) == len(OURS)
    assert all(len(each.id.split(".")) == 3 for each in OURS)


def test_a_partial_failure_holds_both_halves():
    error = errors.IncompleteDelete([errors.UserNotFound(user="x")], ["y"])
    shown = error.as_dict()
    assert (shown["status"], shown["count"], error.result) == (206, 1, ["y"])
    assert shown["errors"][0]["id"] == "security.user.not_found"


def test_an_expired_token_and_a_far_caller_have_the_ids_that_clients_act_on():
    assert errors.ExpiredToken().id == "security.token.invalid"
    assert errors.LoopbackRequired(controller="a", action="b").id == "security.rights.unauthorized"
    assert "visado admin:create" in str(errors.LoopbackRequired(controller="a", action="b"))


@pytest.mark.parametrize("error", OURS, ids=lambda each: each.id)
def test_a_message_is_a_sentence_whose_placeholders_have_names(error: type[VisadoError]):
    import string

    names = [name for _, name, _, _ in string.Formatter().parse(error.message) if name is not None]
    assert error.message
    assert all(name.isidentifier() for name in names)
