"""Any JSON value in any field: the response is an error of the client, and never a token."""

from __future__ import annotations

import json

import pytest

from visado import codec
from visado_kit.hostile import HOSTILE_VALUES

from .conftest import Door


def sent():
    """The hostile values that reach a plugin: the others are invalid JSON, or nested too deeply."""
    for value in HOSTILE_VALUES:
        try:
            codec.decode(json.dumps(value).encode())
        except ValueError:
            continue
        yield value


@pytest.mark.parametrize("number", range(len([*sent()])))
def test_any_json_may_stand_in_any_field(running, name, number):
    value = [*sent()][number]
    door = Door(running('remember_devices = "1d"\n'), ("http", "websocket")[number % 2])
    _, token, _ = door.enrolled(name)
    other = door.token(door.user(f"{name}-other"))
    right = {"enrolment": door.query("totp:begin", token=other).result["enrolment"], "code": "123456"}
    answers = [
        door.reply(door.challenged(name, device=value), value),
        door.reply(door.challenged(name, remember=value), "123456", remember=value, device=value),
        door.query("auth:login", strategy="local", body={"challenge": value, "code": "123456"}),
        *(door.query("totp:confirm", token=other, body={**right, field: value}) for field in right),
        *(door.query(f"totp:{each}", token=token, body={"code": value}) for each in ("disable", "renewRecoveryCodes")),
        door.query("security:disableTotp", _id=value),
    ]
    for answer in answers:
        assert 400 <= answer.status < 500, answer.body


def test_nothing_of_it_is_an_error_of_the_host(running):
    assert "Traceback" not in running('remember_devices = "1d"\n').log
