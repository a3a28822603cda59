from __future__ import annotations

import gzip
import socket
import time
import zlib

import pytest

from .messages import JSON, PARSE, TOO_LARGE, head, post

BAD_JSON = {
    "half": b'{"token": ', "trailing comma": b'{"a": 1,}', "comment": b"{} // x", "two values": b"{}{}", "single quotes": b"{'a': 1}", "bare word": b"{a: 1}",
    "key twice": b'{"token": "a", "token": "b"}', "nested key twice": b'{"a": {"b": 1, "b": 2}}', "key twice by escape": b'{"a": 1, "\\u0061": 2}',
    "NaN": b'{"a": NaN}', "Infinity": b'{"a": Infinity}', "-Infinity": b'{"a": -Infinity}', "a number that is infinite": b'{"a": 1e999}',
    "5,000 digits": b'{"a": ' + b"9" * 5_000 + b"}", "a lone surrogate": b'{"a": "\\ud800"}', "a lone surrogate in capitals": b'{"a": "\\uD800"}',
    "the other half": b'{"a": "\\udc00\\ud800"}', "a lone surrogate as a key": b'{"\\udfff": 1}', "not UTF-8": b'{"a": "\xff"}', "overlong": b'{"a": "\xc0\xaf"}',
    "an encoded surrogate": b'{"a": "\xed\xa0\x80"}', "UTF-16": '{"a": 1}'.encode("utf-16"), "byte order mark": b"\xef\xbb\xbf{}", "NUL": b'{"a": "\0"}',
    "deep lists": b"[" * 200 + b"]" * 200, "deep objects": b'{"a":' * 200 + b"1" + b"}" * 200, "very deep": b"[" * 500_000, "very deep, closed": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "control character": b'{"a": "\n"}', "leading zero": b'{"a": 01}', "hexadecimal": b'{"a": 0x1}', "nothing but blanks": b"   ",
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_JSON)
def test_what_is_no_json_is_400_with_an_id(live, raw, what):
    for path in ("/_checkToken", "/_query", "/_login/local"):
        answer = raw(live.port, post(BAD_JSON[what], path=path))
        assert answer.status == 400, answer.data[:300]
        assert answer.json["id"] == PARSE
        assert answer.json["status"] == 400
        assert b"x-kuzzle-request-id" not in answer.head.lower()


def test_a_body_that_says_to_be_too_large_is_refused_unread(live, raw):
    began = time.monotonic()
    answer = raw(
        live.port, head("POST", "/_checkToken", f"Content-Type: {JSON}", "Content-Length: 1048577"), until_closed=False
    )
    assert (answer.status, answer.json["id"]) == (413, TOO_LARGE)
    assert time.monotonic() - began < 9
    assert live.request("POST", "/_checkToken", b'{"token":"' + b"x" * (1_048_576 - 12) + b'"}').status == 200
    assert live.request("POST", "/_checkToken", b'{"token":"' + b"x" * (1_048_576 - 11) + b'"}').error_id == TOO_LARGE


def test_a_body_that_does_not_end_is_refused_at_the_limit(live):
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", live.port), timeout=20) as opened:
        opened.sendall(head("POST", "/_checkToken", f"Content-Type: {JSON}", "Transfer-Encoding: chunked"))
        sent = 0
        try:
            for _ in range(800):
                opened.sendall(chunk)
                sent += 65_536
                opened.settimeout(0.001)
                try:
                    received = opened.recv(65_536)
                    break
                except TimeoutError:
                    opened.settimeout(20)
        except (BrokenPipeError, ConnectionResetError):
            received = b""
        assert received.startswith(b"HTTP/1.1 413 ")
        assert sent < 10_000_000


def bomb(layers=1, size=10 * 1024 * 1024):
    data = b"\0" * size
    for _ in range(layers):
        data = gzip.compress(data)
    return data


@pytest.mark.parametrize(
    ("body", "encoding", "status", "id"),
    [
        (gzip.compress(b'{"token":"x"}'), "gzip", 200, None),
        (zlib.compress(b'{"token":"x"}'), "deflate", 200, None),
        (gzip.compress(zlib.compress(b'{"token":"x"}')), "deflate, gzip", 200, None),
        (b'{"token":"x"}', "identity, identity, identity", 200, None),
        (bomb(), "gzip", 413, TOO_LARGE),
        (bomb(2, 100 * 1024 * 1024), "gzip, gzip", 413, TOO_LARGE),
        (bomb(3), "gzip, gzip, gzip", 413, TOO_LARGE),
        (b"{}", "gzip, gzip, gzip, gzip", 400, "network.http.too_many_encodings"),
        (b"{}", "identity, identity, identity, identity", 400, "network.http.too_many_encodings"),
        (b"{}", "br", 400, "network.http.unsupported_compression"),
        (b"{}", "gzip, zstd", 400, "network.http.unsupported_compression"),
        (b"{}", "gzip", 400, "network.http.unexpected_error"),
        (gzip.compress(b"{}")[:-9], "gzip", 400, "network.http.unexpected_error"),
        (gzip.compress(b"{}"), "deflate", 400, "network.http.unexpected_error"),
        (gzip.compress(b"{"), "gzip", 400, PARSE),
    ],
    ids=range(15),
)
def test_packed_bodies(live, body, encoding, status, id):
    answer = live.request("POST", "/_checkToken", body, headers={"Content-Encoding": encoding})
    assert (answer.status, answer.error_id) == (status, id)


@pytest.mark.parametrize(
    ("content", "status", "id"),
    [
        ("application/json", 200, None), ("APPLICATION/JSON; charset=UTF-8", 200, None), ('application/json; charset="utf-8"', 200, None),
        ("text/plain", 400, "network.http.unsupported_content"), ("multipart/form-data; boundary=x", 400, "network.http.unsupported_content"),
        ("application/xml", 400, "network.http.unsupported_content"), ("", 400, "network.http.unsupported_content"),
        ("application/jsonp", 400, "network.http.unsupported_content"), ("application/json, text/plain", 400, "network.http.unsupported_content"),
        ("application/json; charset=utf-16", 400, "network.http.unsupported_charset"), ("application/json; charset=latin-1", 400, "network.http.unsupported_charset"),
    ],
)  # fmt: skip
def test_media_types(live, content, status, id):
    answer = live.request("POST", "/_checkToken", b'{"token":"x"}', headers={"Content-Type": content})
    assert (answer.status, answer.error_id) == (status, id)


def test_a_form_is_read_and_a_form_of_a_million_fields_is_not(live):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (
        live.request("POST", "/_login/local", b"username=admin&password=a+long+enough+password", headers=form).status
        == 200
    )
    began = time.monotonic()
    for body in (b"a&" * 500_000, b"a=1&" * 250_000, b"&" * 1_000_000, b"%ff=1", b"=" * 1_000_000, b";" * 1_000_000):
        answer = live.request("POST", "/_login/local", body, headers=form)
        assert answer.status in (400, 401), answer.body
    assert time.monotonic() - began < 15


def test_nothing_of_this_went_wrong_inside(live):
    """The last test of this module: no hostile input has left a traceback in a log."""
    for host in (live,):
        assert "Traceback" not in host.log
        assert host.request("GET", "/_me").status == 200
