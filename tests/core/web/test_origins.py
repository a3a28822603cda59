from __future__ import annotations

import pytest

from visado.request import Connection
from visado.web.origins import Origins


def headers(**given):
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]


def connect(address, listed, proxies=(), *, public_url="", scheme="http"):
    scope = {
        "type": "http", "method": "GET", "path": "/", "query_string": b"", "scheme": scheme, "client": address and (address, 1), "headers": listed,
    }  # fmt: skip
    return Origins(public_url, proxies).connect(Connection, scope, dict(listed))


PROXY = "10.0.0.1"
TRUSTED = ["10.0.0.0/8", "127.0.0.1", "unix"]


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
    for proxies in ([], ["192.0.2.1"]):
        assert connect(address, headers(**given), proxies).loopback is near


@pytest.mark.parametrize(
    ("peer", "given", "address"),
    [
        (PROXY, {}, PROXY), (PROXY, {"x_forwarded_for": "192.0.2.7"}, "192.0.2.7"), (PROXY, {"forwarded": "for=192.0.2.7"}, "192.0.2.7"),
        ("192.0.2.1", {"x_forwarded_for": "192.0.2.7"}, "192.0.2.1"), ("192.0.2.1", {"forwarded": "for=192.0.2.7"}, "192.0.2.1"), (PROXY, {"x_real_ip": "192.0.2.7"}, PROXY),
        (None, {"x_forwarded_for": "192.0.2.7"}, "192.0.2.7"), (None, {}, None), (None, {"x_forwarded_for": "unknown"}, None),
        ("::ffff:10.0.0.1", {"x_forwarded_for": "192.0.2.7"}, "192.0.2.7"), ("testclient", {"x_forwarded_for": "192.0.2.7"}, "testclient"),
    ],
)  # fmt: skip
def test_the_clients_address_is_the_one_that_trusted_proxies_name(peer, given, address):
    connection = connect(peer, headers(**given), TRUSTED)
    assert connection.address == address
    assert connection.trusted is (peer not in ("192.0.2.1", "testclient"))


def test_no_header_counts_without_the_setting():
    listed = headers(
        x_forwarded_for="192.0.2.7",
        x_forwarded_proto="https",
        x_forwarded_host="a.example",
        host="b",
        origin="https://a.example",
    )
    for peer in ("127.0.0.1", None):
        connection = connect(peer, listed)
        assert (connection.address, connection.trusted) == (peer, False)
        assert (connection.loopback, connection.secure, connection.same_origin) == (False, False, False)


def test_proxies_say_what_the_client_speaks_and_to_whom():
    page = "https://auth.example:8443"
    for said in (
        {"x_forwarded_proto": "https", "x_forwarded_host": "auth.example:8443"},
        {"forwarded": 'for=192.0.2.7;proto=https;host="auth.example:8443"'},
        {"x_forwarded_for": "192.0.2.7", "forwarded": 'host="auth.example:8443";proto=https'},
    ):
        connection = connect(PROXY, headers(host="inner", origin=page, **said), TRUSTED)
        assert (connection.secure, connection.same_origin, connection.loopback) == (True, True, False)
        connection = connect("192.0.2.1", headers(host="inner", origin=page, **said), TRUSTED)
        assert (connection.secure, connection.same_origin) == (False, False)
    connection = connect(PROXY, headers(host="a", origin="http://a", x_forwarded_proto="http"), TRUSTED, scheme="https")
    assert (connection.secure, connection.same_origin) == (False, True)
    connection = connect(PROXY, headers(host="a", origin=page, x_forwarded_host="b"), TRUSTED, public_url=page)
    assert (connection.secure, connection.same_origin) == (True, True)


@pytest.mark.parametrize(
    ("peer", "given", "loopback"),
    [
        ("127.0.0.1", {}, True), ("127.0.0.1", {"x_forwarded_for": "127.0.0.1"}, False), ("127.0.0.1", {"x_forwarded_for": "127.0.0.1", "x_forwarded_host": "localhost"}, True),
        ("127.0.0.1", {"forwarded": 'for="[::1]:80";host=localhost'}, True), ("127.0.0.1", {"forwarded": "for=127.0.0.1;host=evil.example"}, False),
        ("127.0.0.1", {"x_forwarded_for": "192.0.2.7", "x_forwarded_host": "localhost"}, False), ("127.0.0.1", {"x_forwarded_for": "127.0.0.1, 192.0.2.7", "x_forwarded_host": "localhost"}, False),
        ("127.0.0.1", {"x_forwarded_for": "127.0.0.1, 10.0.0.1", "x_forwarded_host": "localhost"}, False), ("127.0.0.1", {"x_forwarded_host": "localhost"}, False),
        ("127.0.0.1", {"x_forwarded_for": "unknown", "x_forwarded_host": "localhost"}, False), ("127.0.0.1", {"via": "1.1 proxy"}, False),
        ("127.0.0.1", {"x_forwarded_for": "127.0.0.1", "x_forwarded_host": "localhost", "host": "evil.example"}, False),
        ("127.0.0.1", {"x_forwarded_for": "127.0.0.1", "x_forwarded_host": "localhost", "origin": "https://evil.example"}, False),
        ("127.0.0.1", {"x_forwarded_for": "127.0.0.1", "x_forwarded_host": "localhost", "forwarded": "for=192.0.2.7"}, False),
        (PROXY, {"x_forwarded_for": "127.0.0.1", "x_forwarded_host": "localhost"}, False), (None, {"x_forwarded_for": "127.0.0.1", "x_forwarded_host": "localhost"}, False), (None, {}, False),
    ],
)  # fmt: skip
def test_a_request_through_proxies_is_from_this_machine_only_if_its_client_is(peer, given, loopback):
    assert connect(peer, headers(**given), TRUSTED).loopback is loopback
