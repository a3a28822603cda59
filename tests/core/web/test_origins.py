from __future__ import annotations

import pytest

from visado.request import Connection
from visado.web.origins import Origins


def headers(**given):
    return {name.replace("_", "-").encode(): value.encode() for name, value in given.items()}


@pytest.mark.parametrize(
    ("address", "given", "near"),
    [
        ("127.0.0.1", {}, True), ("127.8.9.1", {}, True), ("::1", {}, True), ("10.0.0.1", {}, False), (None, {}, False), ("", {}, False),
        ("127.0.0.1", {"host": "127.0.0.1:7512"}, True), ("127.0.0.1", {"host": "localhost"}, True), ("127.0.0.1", {"host": "LOCALHOST:1"}, True),
        ("127.0.0.1", {"host": "[::1]:7512"}, True), ("127.0.0.1", {"host": "evil.example"}, False), ("127.0.0.1", {"host": "localhost.evil.example"}, False),
        ("127.0.0.1", {"host": "127.0.0.1.evil.example"}, False), ("127.0.0.1", {"host": "e/abc?x="}, False), ("127.0.0.1", {"host": "localhost@evil.example"}, False),
        ("127.0.0.1", {"host": "[::1"}, False), ("127.0.0.1", {"host": ""}, False), ("127.0.0.1", {"host": "192.168.0.1"}, False),
        ("127.0.0.1", {"host": "evil.example#@localhost"}, False), ("127.0.0.1", {"host": "localhost:x"}, True),
        ("127.0.0.1", {"origin": "http://localhost:3000"}, True), ("127.0.0.1", {"origin": "https://evil.example"}, False), ("127.0.0.1", {"origin": "null"}, False),
        ("127.0.0.1", {"origin": "http://localhost.evil.example"}, False), ("127.0.0.1", {"origin": ""}, False), ("127.0.0.1", {"origin": "file://"}, False),
        ("127.0.0.1", {"x_forwarded_for": "127.0.0.1"}, False), ("127.0.0.1", {"forwarded": "for=127.0.0.1"}, False), ("127.0.0.1", {"x_real_ip": "127.0.0.1"}, False),
        ("127.0.0.1", {"host": "a" * 600}, False), ("127.0.0.1", {"host": "a" * 600 + ".localhost"}, True), ("127.0.0.1", {"host": "localhost", "x_forwardedly": "1"}, True),
        ("127.0.0.1", {"via": "1.1 proxy"}, False), ("127.0.0.1", {"x_forwarded_host": "localhost"}, False), ("127.0.0.1", {"x_forwarded_proto": "https"}, False),
    ],
)  # fmt: skip
def test_who_comes_from_this_machine_for_this_machine(address, given, near):
    scope = {"type": "http", "scheme": "http", "client": address and (address, 1)}
    assert Origins("").connect(Connection, scope, headers(**given)).loopback is near
