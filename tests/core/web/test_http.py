from __future__ import annotations

import gzip
import json
import socket
import zlib

import pytest

from .messages import head, whole

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


def test_nothing_of_this_went_wrong_inside(live):
    """The last test of this module: no hostile input has left a traceback in a log."""
    assert "Traceback" not in live.log
    assert live.request("GET", "/_me").status == 200
