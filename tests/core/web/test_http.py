from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from visado_kit.live import serve

JSON = "application/json"
PARSE, TOO_LARGE = "network.http.body_parse_failed", "network.http.request_too_large"


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A host that waits a second for a client, open to this machine."""
    with serve(tmp_path_factory.mktemp("quick"), config="[limits]\nrequest_timeout = 1\n") as host:
        yield host


def head(verb, path, *lines, host="127.0.0.1"):
    return "\r\n".join([f"{verb} {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode("latin-1")


def whole(verb, path, body=b"", *lines, host="127.0.0.1"):
    return head(verb, path, f"Content-Length: {len(body)}", "Connection: close", *lines, host=host) + body


def post(body, *lines, path="/_checkToken"):
    return whole("POST", path, body, f"Content-Type: {JSON}", *lines)


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


BAD_LOGINS = [
    {}, {"username": None}, {"username": 1, "password": 2}, {"username": [], "password": {}}, {"username": "a", "password": "x" * 900_000}, {"username": "x" * 900_000, "password": "b"},
    {"username": {"$gt": ""}, "password": {"$gt": ""}}, {"username": "a\0b", "password": "\0"}, {"username": "' OR 1=1 --", "password": "x"}, {"username": "*)(uid=*", "password": "x"},
    {"username": "\r\nSet-Cookie: a=b", "password": "x"}, {"username": "admin", "password": True}, {"username": "\u202e", "password": "\uffff"}, {"username": "a", "password": 10**4_000},
    {"username": "a", "password": 1.5}, {"username": ["admin"], "password": ["x"]}, {"__proto__": {"admin": True}}, {"username": "admin", "password": "x", "strategy": ["local"]},
    {"username": "admin", "password": "x", "expiresIn": {}}, {"username": "admin", "password": "x", "expiresIn": "9" * 200}, {"strategy": "local\0"}, [], [1], ["username"], "x", 1, True,
]  # fmt: skip


@pytest.mark.parametrize(
    "body", BAD_LOGINS, ids=lambda each: json.dumps(each)[:30] if len(json.dumps(each)) < 1000 else "long"
)
def test_a_hostile_login_is_the_clients_mistake(live, body):
    for path in ("/_login/local", "/_login"):
        answer = live.request("POST", path, body)
        assert answer.status in (400, 401), answer.body
        assert answer.error_id


@pytest.mark.parametrize("query", ["cookieAuth=a&cookieAuth=b", "cookieAuth[]=1", "expiresIn=1&expiresIn=2", "strategy=a&strategy=b", "jwt=x&jwt=y", "body=x", "volatile=1", "%ff=1", "expiresIn=%ff", "a" * 5_000, "&" * 5_000, "x=1&" * 2_000, "pretty", "pretty=%ff", "expiresIn=1e999"])  # fmt: skip
def test_a_hostile_query_string_is_the_clients_mistake(live, query):
    answer = live.request("POST", f"/_login/local?{query}", {"username": "admin", "password": "a long enough password"})
    assert answer.status in (200, 400, 401, 404), answer.body


def test_numbers_beyond_all_bounds_are_refused_or_shown_as_json(live):
    def strict(text):
        return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    body = b'{"controller":"auth","action":"getCurrentUser","volatile":{"a":1e999,"b":-1e999}}'
    for path in ("/_query",):
        connection = live.request("POST", path, body)
        assert connection.status in (200, 400)
        assert "Infinity" not in json.dumps(connection.body)
    answer = live.request("GET", "/_me", headers={"X-Kuzzle-Volatile": '{"a":1e999}'})
    assert "Infinity" not in json.dumps(answer.body)
    for number in ("1e999", "-1e999", "1e308", "9" * 4_000, "0.5", "-1"):
        body = b'{"controller":"security","action":"searchUsers","from":%s,"size":1,"body":{},"jwt":"%s"}' % (
            number.encode(),
            live.admin.encode(),
        )
        answer = live.request("POST", "/_query", body)
        assert answer.status in (200, 400, 413), (number, answer.body)
    assert strict("{}") == {}


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


@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("/users/admin", {401}), ("//users/admin", {400, 401, 404}), ("/users//admin", {401, 404}), ("/_me/../users/admin", {400, 401, 404}), ("/%2e%2e/users/admin", {400, 401, 404}),
        ("/_me/%2e%2e/users/admin", {400, 401, 404}), ("/users/%2e%2e", {401}), ("/users/admin%00", {400, 401}), ("/users%2Fadmin", {404}), ("/users/admin%2F_rights", {401}),
        ("/users/admin/", {401}), ("/users/admin//", {401, 404}), ("/users/admin;x=1", {401}), ("/users/admin?x=1#y", {400, 401}), ("/users/%ff", {400, 401, 404}), ("/users/%", {401}),
        ("/USERS/admin", {404}), ("/users/admin/_rights/", {401}), ("http://evil.example/users/admin", {400, 401}), ("@evil.example/users/admin", {400, 404}), ("*", {400, 404}),
        ("/users/\x7f", {400, 401}), ("/" + "a/" * 5_000, {400, 404}), ("/" + "%2F" * 3_000, {400, 404}), ("/users/" + "a" * 20_000, {400, 401}), ("/.//users/admin", {400, 404}), ("/\\users\\admin", {400, 404}),
    ],
)  # fmt: skip
def test_a_path_leads_to_the_same_decision_as_its_plain_form(live, raw, path, statuses):
    answer = raw(live.port, whole("GET", path))
    assert answer.status in statuses, answer.data[:200]


@pytest.mark.parametrize(
    "host", ["e/abc?x=", "evil.example", "localhost\x01", "a" * 5_000, "[::1", "", "x y", "evil.example:99999"]
)
def test_the_host_header_decides_nothing_but_nearness(live, raw, host):
    for verb, path in [("GET", "/users/admin"), ("GET", "/_me")]:
        answer = raw(live.port, whole(verb, path, host=host))
        assert answer.status in ({400, 401} if path == "/users/admin" else {200, 400}), answer.data[:200]


@pytest.mark.parametrize(
    "data",
    [
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\n{}",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n{}",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 0x2\r\n\r\n{}",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n{}",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n\r\n",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n",
        b"GET /_me HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n",
        b"GET /_me HTTP/1.1\nHost: x\n\n",
        b"GET /_me HTTP/1.1\r\nHost: x\r\nX-A: b\nX-C: d\r\n\r\n",
        b"GET /_me HTTP/1.1\r\nHost: x\r\nX-A: b\rc\r\n\r\n",
        b"GET /_me HTTP/1.1\r\nHost: x\r\nX-A: b\0c\r\n\r\n",
        b"GET /_me HTTP/1.1\r\nHost: x\r\nX A: b\r\n\r\n",
        b"GET /_me HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
        b"GET /_me HTTP/9.9\r\nHost: x\r\n\r\n",
        b"get /_me HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=range(24),
)
def test_what_is_no_http_is_400_and_closed(quick, raw, data):
    answer = raw(quick.port, data)
    assert answer.closed
    assert answer.status in (400, None), answer.data[:200]
    assert answer.data.count(b"HTTP/1.1 ") <= 1


def test_headers_have_a_limit(quick, raw):
    for data in (
        head("GET", "/_me", "Connection: close", "X-A: " + "a" * 200_000),
        head("GET", "/_me", "Connection: close", *(f"X-{number}: a" for number in range(20_000))),
        head("GET", "/" + "a" * 200_000, "Connection: close"),
    ):
        answer = raw(quick.port, data)
        assert answer.closed
        assert answer.status in (400, 413, 414, 431), answer.data[:100]


def test_slow_senders_are_closed(quick, raw):
    """The clock of the host is a second here, and 15 s by default."""
    slow = [
        b"", b"G", b"GET /_me HTTP/1.1\r\nHost: x\r\n", b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n", b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", b"OPTIONS / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n",
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{", b"GET /_healthcheck HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{", b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n",
    ]  # fmt: skip
    with ThreadPoolExecutor(len(slow) * 5) as pool:
        answers = list(pool.map(lambda data: raw(quick.port, data, patience=20), slow * 5))
    assert all(answer.closed for answer in answers), [
        slow[n % len(slow)] for n, each in enumerate(answers) if not each.closed
    ]
    assert {answer.status for answer in answers} <= {None, 200, 400, 404, 408, 413}


def test_a_sender_of_a_byte_at_a_time_is_closed_too(quick):
    for start in (
        b"GET /_me HTTP/1.1\r\nX-A: ",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", quick.port), timeout=10) as opened:
            opened.sendall(start)
            began = time.monotonic()
            try:
                while time.monotonic() - began < 15:
                    opened.sendall(b"x")
                    opened.settimeout(0.1)
                    try:
                        if not opened.recv(65_536):
                            break
                    except TimeoutError:
                        pass
                else:
                    pytest.fail("still open")
            except OSError:
                pass


def test_one_connection_serves_many_requests_and_pipelines_them(live):
    one = head("GET", "/_me")
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as opened:
        opened.sendall(one * 5)
        received = b""
        while received.count(b'"requestId"') < 5:
            received += opened.recv(65_536)
    assert received.count(b"HTTP/1.1 200 OK") == 5


@pytest.mark.parametrize(
    "id", ["a\r\nX-Injected: yes", "a\nX-Injected: yes", "a\x1b[2J", "é", "x" * 300, "\x00", "a\tb"]
)
def test_a_request_id_injects_nothing(live, raw, id):
    answer = raw(live.port, head("GET", "/_me", f"X-Kuzzle-Request-Id: {id}", "Connection: close"))
    names = [line.split(b":")[0].lower() for line in answer.head.split(b"\r\n")[1:]]
    assert b"x-injected" not in names
    assert b"\x1b" not in answer.data
    assert b"X-Injected" not in answer.data


def test_a_plain_request_id_comes_back_and_no_other_counts(live):
    answer = live.request("GET", "/_me?requestId=other", headers={"X-Kuzzle-Request-Id": "mine"})
    assert (answer.body["requestId"], answer.headers["x-kuzzle-request-id"]) == ("mine", "mine")
    answer = live.request(
        "POST",
        "/_query",
        {"controller": "auth", "action": "getCurrentUser", "requestId": "other"},
        headers={"X-Kuzzle-Request-Id": "mine"},
    )
    assert answer.body["requestId"] == "mine"
    assert len(live.request("GET", "/_me").body["requestId"]) == 36


def test_other_verbs(live, raw):
    answer = live.request("OPTIONS", "/any/where")
    assert (answer.status, answer.result) == (200, {})
    for verb in ("TRACE", "PROPFIND", "PURGE"):
        answer = live.request(verb, "/_me")
        assert (answer.status, answer.error_id) == (400, "network.http.unsupported_verb")
    for verb, path in [
        ("PATCH", "/_me"),
        ("DELETE", "/_me"),
        ("POST", "/_me"),
        ("GET", "/_logout"),
        ("GET", "/nowhere"),
    ]:
        answer = live.request(verb, path)
        assert (answer.status, answer.error_id) == (404, "network.http.url_not_found")
        assert answer.body["error"]["props"] == [path]
    answer = raw(live.port, head("HEAD", "/_me", "Connection: close"))
    assert answer.status == 200
    assert answer.data.endswith(b"\r\n\r\n")
    answer = raw(live.port, b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert answer.status in (400, 404, None)


def test_the_envelope_and_headers_are_the_contracts(live):
    answer = live.request(
        "GET", "/_me?index=i&collection=c", headers={"X-Kuzzle-Volatile": '{"a":1}', "Origin": "http://other.example"}
    )
    assert set(answer.body) == {
        "action",
        "controller",
        "error",
        "headers",
        "node",
        "requestId",
        "result",
        "status",
        "volatile",
        "index",
        "collection",
    }
    assert (answer.body["controller"], answer.body["action"], answer.body["volatile"], answer.body["index"]) == (
        "auth",
        "getCurrentUser",
        {"a": 1},
        "i",
    )
    assert answer.headers["x-kuzzle-node"] == answer.body["node"]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers
    answer = live.request("GET", "/_me", headers={"X-Kuzzle-Volatile": "{"})
    assert (answer.status, answer.error_id) == (400, "network.http.volatile_parse_failed")
    assert "requestId" in answer.body
    for bad in ("1", "[]", '"x"', '{"a":1,"a":2}', '{"a":"\\ud800"}', "{" * 500):
        assert live.request("GET", "/_me", headers={"X-Kuzzle-Volatile": bad}).status == 400
    assert "requestId" not in live.request("POST", "/_me", b"{").body


def test_a_refused_token_says_so_in_the_words_of_http(live):
    answer = live.request("GET", "/_me", token="kauth-x")
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    assert live.request("GET", "/_now").headers["www-authenticate"] == "Bearer"
    assert live.request("GET", "/_me", headers={"Authorization": "Basic YTpi"}).result["_id"] == "-1"
    assert live.request("GET", f"/_me?jwt={live.admin}").result["_id"] == "-1"
    for scheme in ("bearer", "BEARER", "Bearer"):
        assert live.request("GET", "/_me", headers={"Authorization": f"{scheme} {live.admin}"}).result["_id"] == "admin"


@pytest.mark.parametrize(
    "text",
    [
        "kauth-",
        "x",
        "kauth-a.b.c",
        "kapikey-a.b.c",
        "kauth-eyJhbGciOiJub25lIn0.eyJfaWQiOiJhZG1pbiJ9.",
        "null",
        "undefined",
        "a b",
        "\xff\xfe",
        "é" * 50,
        "x" * 30_000,
    ],
)
def test_a_forged_token_is_401_by_every_way(live, text):
    latin = text.encode("utf-8").decode("latin-1")
    for headers in (
        {"Authorization": f"Bearer {latin}"},
        {"Cookie": f"authToken={latin}"}
        if " " not in text and text != "null" and text.isascii()
        else {"Authorization": f"bearer {latin}"},
    ):
        answer = live.request("GET", "/_me", headers=headers)
        assert (answer.status, answer.error_id) == (401, "security.token.invalid")
    answer = live.query("auth:getCurrentUser", jwt=text)
    assert (answer.status, answer.error_id) == (401, "security.token.invalid")
    assert live.request("POST", "/_checkToken", {"token": text}).result["valid"] is False


def test_a_lone_bearer_is_nobody_or_refused_but_never_somebody(live):
    for value in ("Bearer", "Bearer ", "Bearer   "):
        answer = live.request("GET", "/_me", headers={"Authorization": value})
        assert answer.status == 401 or answer.result["_id"] == "-1"


def test_large_answers_are_packed_as_the_client_likes(live):
    for accepted, expected in [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("br", "identity"),
        ("gzip;q=0", "identity"),
        ("deflate, gzip", "gzip"),
        ("gzip;q=0.1, deflate;q=0.9", "deflate"),
        ("gzip;q=x", "identity"),
        ("", "identity"),
    ]:
        connection = socket.create_connection(("127.0.0.1", live.port), timeout=10)
        with connection:
            connection.sendall(head("GET", "/_publicApi", f"Accept-Encoding: {accepted}", "Connection: close"))
            received = b""
            while chunk := connection.recv(65_536):
                received += chunk
        top, _, body = received.partition(b"\r\n\r\n")
        assert f"content-encoding: {expected}".encode() in top.lower()
        unpacked = (
            gzip.decompress(body) if expected == "gzip" else zlib.decompress(body) if expected == "deflate" else body
        )
        assert json.loads(unpacked)["status"] == 200


def test_no_credentials_in_addresses(live):
    for verb, path in [
        ("GET", "/_login/local?username=admin&password=canary-in-an-address"),
        ("POST", "/_login/local?username=admin&password=canary-in-an-address"),
        ("POST", "/_login?strategy=local&password=canary-in-an-address"),
    ]:
        answer = live.request(verb, path, {} if verb == "POST" else None)
        assert (answer.status, answer.error_id) == (400, "api.assert.forbidden_argument"), path
        assert "canary" not in json.dumps(answer.body)
    assert "canary" not in live.log


def test_the_probes_answer_before_everything(live):
    for path in ("/_healthcheck", "/_ready"):
        assert live.request("GET", path).status == 200
        assert live.request("HEAD", path).status == 200


@pytest.fixture
def fresh(tmp_path):
    with serve(tmp_path) as host:
        yield host


def test_a_flood_of_pipelined_requests_is_not_kept_in_memory(fresh):
    def megabytes():
        return int(Path(f"/proc/{fresh.pid}/statm").read_text().split()[1]) * 4_096 / 2**20

    before, block = megabytes(), head("GET", "/_me") * 1_000
    with socket.create_connection(("127.0.0.1", fresh.port), timeout=10) as opened:
        opened.setblocking(False)
        began = time.monotonic()
        sent = 0
        while sent < 12_000_000 and time.monotonic() - began < 8:
            try:
                sent += opened.send(block)
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:
                break
    assert fresh.request("GET", "/_healthcheck").status == 200
    assert megabytes() - before < 100


def test_nothing_of_this_went_wrong_inside(live, quick):
    """The last test of this module: no hostile input has left a traceback in a log."""
    for host in (live, quick):
        assert "Traceback" not in host.log
        assert host.request("GET", "/_me").status == 200
