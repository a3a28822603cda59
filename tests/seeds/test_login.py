"""`POST /_login` as the older page has it: strategy and expiresIn in the body, and every spelling of a duration."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from visado_kit.live import LiveHost, LiveResponse

from .conftest import usual_host

CREDENTIALS = {"username": "melis", "password": "password"}
HOUR = 3_600_000
YEAR = 31_557_600_000

UNITS = {
    YEAR: ["years", "year", "yrs", "yr", "y"],
    604_800_000: ["weeks", "week", "w"],
    86_400_000: ["days", "day", "d"],
    HOUR: ["hours", "hour", "hrs", "hr", "h"],
    60_000: ["minutes", "minute", "mins", "min", "m"],
    1_000: ["seconds", "second", "secs", "sec", "s"],
    1: ["milliseconds", "millisecond", "msecs", "msec", "ms"],
}
SPELLINGS: dict[str, int] = {
    **{f"7{unit}": 7 * size for size, units in UNITS.items() for unit in units if size > 1},
    **{f"90000{unit}": 90_000 for unit in UNITS[1]},
    "6d": 518_400_000,
    "10h": 36_000_000,
    "1 week": 604_800_000,
    "1 h": HOUR,
    "1   h": HOUR,
    "1H": HOUR,
    "1 HoUrS": HOUR,
    "5000": 5_000,
    "5000 ": 5_000,
    "007s": 7_000,
    "1.5h": 5_400_000,
    ".5h": 1_800_000,
    "0.5d": 43_200_000,
    "-1": -1,
    "-1ms": -1,
    "-0.001s": -1,
    "99999999999999": 99_999_999_999_999,
}
REFUSED = [
    *("+1", "1.", "1e3", "1,000", "0x10", "h", "week", " 1", "1h ", "\t1h", "1\th", "1h30m", "1h 30m"),
    *("soon", "null", "true", "1 month", "1mo", "one hour", "0", "0s", "0.0h", "-1h", "-2", "-0.5", "1h" + " " * 100),
    *("\u0661h", "1\u00a0h", "NaN", "Infinity", "9" * 101, "9" * 90, "--1", "- 1"),
]
NUMBERS: dict[str, int] = {"5000": 5_000, "1000": 1_000, "-1": -1, "3.6e6": HOUR, "518400000": 518_400_000}
WRONG_NUMBERS = ["-5", "-2", "0.2", "1e300", "true", "[5000]", '["1h"]', "{}", '{"ms": 5000}']
DEFAULT = ["0", '""', "null"]


@pytest.fixture(scope="module", autouse=True)
def melis(host: LiveHost) -> None:
    user = {"content": {"profileIds": ["default"]}, "credentials": {"local": CREDENTIALS}}
    assert host.request("POST", "/users/melis/_create", user).status == 200


def refused(answer: LiveResponse) -> bool:
    return (answer.status, answer.error_id) == (400, "api.assert.invalid_argument")


class Ways:
    """Where `expiresIn` may stand; each takes its JSON."""

    @staticmethod
    def in_the_body(host: LiveHost, value: str) -> LiveResponse:
        body = json.dumps(CREDENTIALS)[:-1] + f', "expiresIn": {value}}}'
        return host.request("POST", "/_login", body.encode())

    @staticmethod
    def in_the_body_of_the_strategys_route(host: LiveHost, value: str) -> LiveResponse:
        body = json.dumps(CREDENTIALS)[:-1] + f', "expiresIn": {value}}}'
        return host.request("POST", "/_login/local", body.encode())

    @staticmethod
    def in_the_payload(host: LiveHost, value: str) -> LiveResponse:
        fixed = json.dumps({"controller": "auth", "action": "login", "strategy": "local", "body": CREDENTIALS})
        return host.request("POST", "/_query", f'{fixed[:-1]}, "expiresIn": {value}}}'.encode())


WAYS: list[Callable[[LiveHost, str], LiveResponse]] = [
    Ways.in_the_body,
    Ways.in_the_body_of_the_strategys_route,
    Ways.in_the_payload,
]


def in_the_query(host: LiveHost, text: str) -> LiveResponse:
    from urllib.parse import quote

    return host.request("POST", f"/_login/local?expiresIn={quote(text)}", CREDENTIALS)


@pytest.mark.parametrize(
    "body",
    [
        {"strategy": "local", **CREDENTIALS},
        CREDENTIALS,
        {"strategy": "local", "expiresIn": "6d", **CREDENTIALS},
        {"expiresIn": 518_400_000, **CREDENTIALS},
    ],
    ids=["strategy", "default", "expiresIn as text", "expiresIn as number"],
)
def test_the_documents_body(host: LiveHost, body: dict[str, Any]):
    answer = host.request("POST", "/_login", body)
    assert answer.status == 200
    assert sorted(answer.result) == ["_id", "expiresAt", "jwt", "ttl"]
    assert answer.result["_id"] == "melis"
    assert answer.result["ttl"] == (518_400_000 if "expiresIn" in body else HOUR)
    assert host.request("GET", "/_me", token=answer.result["jwt"]).result["_id"] == "melis"


@pytest.mark.parametrize("extra", [{}, {"strategy": "local"}, {"strategy": "local", "expiresIn": "6d"}])
def test_the_documents_message(host: LiveHost, extra: dict[str, Any]):
    with connect(f"ws://127.0.0.1:{host.port}", proxy=None) as socket:
        socket.send(json.dumps({"controller": "auth", "action": "login", "body": {**extra, **CREDENTIALS}}))
        answer = json.loads(socket.recv(timeout=20))
    assert (answer["status"], answer["result"]["_id"]) == (200, "melis")
    assert answer["result"]["ttl"] == (518_400_000 if "expiresIn" in extra else HOUR)


@pytest.mark.parametrize(
    ("strategy", "status", "error"),
    [
        ("foo", 400, "security.credentials.unknown_strategy"),
        ("constructor", 400, "security.credentials.unknown_strategy"),
        ("", 400, "security.credentials.unknown_strategy"),
        (42, 400, "api.assert.invalid_type"),
        (["local"], 400, "api.assert.invalid_type"),
    ],
)
def test_a_strategy_in_the_body_that_there_is_not(host: LiveHost, strategy: Any, status: int, error: str):
    answer = host.request("POST", "/_login", {"strategy": strategy, **CREDENTIALS})
    assert (answer.status, answer.error_id) == (status, error)


def test_the_route_names_the_strategy_before_the_body_does(host: LiveHost):
    answer = host.request("POST", "/_login/local", {"strategy": "foo", **CREDENTIALS})
    assert answer.status == 200


def test_the_query_says_how_long_before_the_body_does(host: LiveHost):
    answer = host.request("POST", "/_login?expiresIn=2h", {"expiresIn": "1h", **CREDENTIALS})
    assert answer.result["ttl"] == 2 * HOUR


def test_the_short_route_is_not_listed(host: LiveHost):
    listed = [route["url"] for route in host.request("GET", "/_publicApi").result["auth"]["login"]["http"]]
    assert listed == ["/_login/:strategy", "/_login/:strategy"]


@pytest.mark.parametrize(("text", "ttl"), SPELLINGS.items())
def test_a_duration_as_text(host: LiveHost, text: str, ttl: int):
    for answer in (in_the_query(host, text), Ways.in_the_body(host, json.dumps(text))):
        assert answer.status == 200, answer.body
        assert answer.result["ttl"] == ttl
        assert (answer.result["expiresAt"] == -1) == (ttl == -1)
    assert host.request("GET", "/_me", token=answer.result["jwt"]).status == 200


@pytest.mark.parametrize("text", REFUSED)
def test_a_text_that_is_no_duration(host: LiveHost, text: str):
    assert refused(in_the_query(host, text))
    assert refused(Ways.in_the_body(host, json.dumps(text)))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
class TestJson:
    @pytest.mark.parametrize(("number", "ttl"), NUMBERS.items())
    def test_a_number(self, host: LiveHost, way: Callable[[LiveHost, str], LiveResponse], number: str, ttl: int):
        answer = way(host, number)
        assert answer.status == 200, answer.body
        assert answer.result["ttl"] == ttl

    @pytest.mark.parametrize("value", WRONG_NUMBERS)
    def test_a_wrong_value(self, host: LiveHost, way: Callable[[LiveHost, str], LiveResponse], value: str):
        assert refused(way(host, value))

    @pytest.mark.parametrize("value", DEFAULT)
    def test_nothing_is_the_default(self, host: LiveHost, way: Callable[[LiveHost, str], LiveResponse], value: str):
        assert way(host, value).result["ttl"] == HOUR

    def test_a_fraction_is_cut_off_or_refused(self, host: LiveHost, way: Callable[[LiveHost, str], LiveResponse]):
        answer = way(host, "5000.7")
        assert refused(answer) or answer.result["ttl"] == 5_000


def test_a_wrong_password_is_told_before_a_wrong_duration(host: LiveHost):
    answer = host.request("POST", "/_login?expiresIn=soon", {**CREDENTIALS, "password": "x"})
    assert (answer.status, answer.error_id) == (401, "plugin.strategy.missing_user")


def test_the_longest_lifetime(tmp_path: Path):
    with usual_host(tmp_path, '[security.token]\nmax_ttl = "2h"\nexpires_in = "90m"\n') as host:
        user = {"content": {"profileIds": ["default"]}, "credentials": {"local": CREDENTIALS}}
        host.request("POST", "/users/melis/_create", user)
        assert in_the_query(host, "2h").result["ttl"] == 2 * HOUR
        assert host.request("POST", "/_login", CREDENTIALS).result["ttl"] == 5_400_000
        for text in ("7200001", "3h", "-1", "-1ms"):
            answer = in_the_query(host, text)
            assert (answer.status, answer.error_id) == (400, "security.token.ttl_exceeded")
        assert refused(in_the_query(host, "0"))
