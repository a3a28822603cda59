"""What a strategy sees of a request: over HTTP, a WebSocket and a Unix socket, under our server and stock uvicorn."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from websockets.sync.client import connect, unix_connect

from tests.core.throwaway import put
from tests.ports import free_port
from tests.waiting import listens, until
from visado_kit.live import serve

from .messages import head, whole

SEEN = """
from visado import Redirect, Strategy, hookimpl

class Seen(Strategy):
    name = "seen"
    async def authenticate(self, request):
        made = request.connection
        return Redirect("https://seen.example", status=200, data={"seen": {
            "method": request.method, "target": request.target, "query": dict(request.query), "cookies": dict(request.cookies),
            "raw": request.raw_body.hex(), "peer": request.peer, "trusted": request.trusted, "address": request.address,
            "users": request.headers_of("x-user"), "last": request.header("x-user"),
            "loopback": made.loopback, "secure": made.secure, "same_origin": made.same_origin,
        }})

@hookimpl
def register_strategies():
    return [Seen()]
"""
TRUSTED = '[server]\ntrusted_proxies = ["127.0.0.1", "10.0.0.0/8", "unix"]\n[limits]\nlogins_per_second = 1000\n'
HEADERS = [
    "X-User: ann", "X-User: ben", 'Cookie: {bad=1; a="1"; a=2', "X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 192.0.2.7:99, 10.1.1.1", "X-Forwarded-Proto: https",
    "X-Forwarded-Host: auth.example", "Origin: https://auth.example",
]  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return put(tmp_path_factory.mktemp("plugins") / "site", "seen", SEEN)


@pytest.fixture(scope="module")
def proxied(site, tmp_path_factory):
    with serve(tmp_path_factory.mktemp("proxied"), config=TRUSTED, environment={"PYTHONPATH": str(site)}) as host:
        yield host


@contextmanager
def uvicorn(site, folder, *arguments, config=TRUSTED, **environment):
    """Stock uvicorn with `visado.asgi:app`."""
    (folder / "visado.toml").write_text(config)
    environment = {**os.environ, "PYTHONPATH": str(site), "VISADO_SERVER__DATA": str(folder / "data"), **environment}
    command = [sys.executable, "-m", "uvicorn", "visado.asgi:app", "--log-level", "warning", *arguments]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def test_a_strategy_sees_what_was_sent_and_what_the_proxy_says(proxied, raw):
    body = gzip.compress(b"SAMLResponse=x&action=logout&jwt=y", mtime=0)
    target = "/_login/s%65en?action=a%20b&jwt=x&controller=c&body=&volatile=v&requestId=r&a=1&a=2"
    answer = raw(proxied.port, whole(
        "POST", target, body, *HEADERS, "Content-Type: application/x-www-form-urlencoded", "Content-Encoding: gzip", host="inner",
    ))  # fmt: skip
    seen = answer.json["result"]["seen"]
    assert seen.pop("peer")[0] == "127.0.0.1"
    assert seen == {
        "method": "POST", "target": target, "query": {"action": "a b", "jwt": "x", "controller": "c", "body": "", "volatile": "v", "requestId": "r", "a": "1"},
        "cookies": {"{bad": "1", "a": "1"}, "raw": body.hex(), "trusted": True, "address": "192.0.2.7", "users": ["ann", "ben"], "last": "ben",
        "loopback": False, "secure": True, "same_origin": True,
    }  # fmt: skip


def test_every_request_of_a_connection_has_the_same_peer(proxied):
    connection = http.client.HTTPConnection("127.0.0.1", proxied.port, timeout=30)
    peers = []
    for _ in range(2):
        connection.request("GET", "/_login/seen")
        seen = json.loads(connection.getresponse().read())["result"]["seen"]
        assert (seen["method"], seen["raw"], seen["address"], seen["loopback"]) == ("GET", "", "127.0.0.1", True)
        peers.append(tuple(seen["peer"]))
    assert peers == [connection.sock.getsockname()] * 2
    connection.close()


def test_a_socket_sees_its_upgrade_and_the_bytes_of_each_message(proxied):
    headers = [tuple(line.split(": ", 1)) for line in HEADERS]
    url = f"ws://127.0.0.1:{proxied.port}/any/path?action=x&a=%20"
    with connect(url, proxy=None, additional_headers=headers) as opened:
        for message in (
            '{"controller":"auth", "action":"login","strategy":"seen"}',
            '{"controller":"auth","action":"login","strategy":"seen","a":"é"}',
        ):
            opened.send(message)
            seen = json.loads(opened.recv(30))["result"]["seen"]
            assert seen.pop("peer") == list(opened.socket.getsockname())
            assert seen == {
                "method": "", "target": "/any/path?action=x&a=%20", "query": {"action": "x", "a": " "}, "cookies": {"{bad": "1", "a": "1"}, "raw": message.encode().hex(),
                "trusted": True, "address": "192.0.2.7", "users": ["ann", "ben"], "last": "ben", "loopback": False, "secure": True, "same_origin": True,
            }  # fmt: skip


def test_the_log_names_the_client_and_the_cookie_of_a_proxied_login_is_secure(site, tmp_path):
    config = TRUSTED.replace("[server]", "[server]\naccess_log = true")
    with serve(tmp_path, config=config, environment={"PYTHONPATH": str(site)}) as host:
        host.create_admin()
        for _ in range(3):  # the third is a cached response
            host.request("GET", "/_me", headers={"X-Forwarded-For": "192.0.2.7"})
        login = {"username": "admin", "password": "a long enough password"}
        for protocol, secure in (("https", True), ("http", False)):
            answer = host.request("POST", "/_login/local?cookieAuth", login, headers={"X-Forwarded-Proto": protocol})
            assert ("; Secure" in answer.headers["set-cookie"]) is secure
        assert host.log.count("192.0.2.7 'GET /_me'") == 3


def test_peers_of_a_unix_socket_are_trusted_where_the_setting_says_so(site, tmp_path):
    path = f"/tmp/visado-{os.getpid()}.sock"  # the path of a Unix socket is short
    for config, trusted in ((TRUSTED, True), (TRUSTED.replace(', "unix"', ""), False)):
        with uvicorn(site, tmp_path, "--uds", path, config=config) as process:
            until(lambda: os.path.exists(path) or process.poll() is not None, seconds=60)  # noqa: PTH110
            with socket.socket(socket.AF_UNIX) as opened:
                until(lambda: opened.connect_ex(path) == 0, seconds=60)
                opened.sendall(whole("GET", "/_login/seen", b"", *HEADERS))
                data = b"".join(iter(lambda: opened.recv(65_536), b""))
            seen = [json.loads(data.partition(b"\r\n\r\n")[2])["result"]["seen"]]
            with unix_connect(
                path, "ws://inner/", additional_headers=[tuple(line.split(": ", 1)) for line in HEADERS]
            ) as ws:
                ws.send('{"controller":"auth","action":"login","strategy":"seen"}')
                seen.append(json.loads(ws.recv(30))["result"]["seen"])
        for each in seen:
            assert (each["peer"], each["trusted"], each["loopback"]) == (None, trusted, False)
            assert (each["address"], each["secure"], each["same_origin"]) == (
                ("192.0.2.7", True, True) if trusted else (None, False, False)
            )


@pytest.mark.parametrize(
    ("arguments", "config", "found"),
    [
        # uvicorn's own proxy headers: what uvicorn puts in the peer's place is the peer, and never loopback.
        ((), "", ["10.1.1.1", "10.1.1.1", False, True]),
        ((), TRUSTED, ["10.1.1.1", "192.0.2.7", True, True]),
        (("--no-proxy-headers",), "", ["127.0.0.1", "127.0.0.1", False, False]),
        (("--no-proxy-headers",), TRUSTED, ["127.0.0.1", "192.0.2.7", True, True]),
    ],
)  # fmt: skip
def test_stock_uvicorn_and_its_own_proxy_headers(site, tmp_path, raw, arguments, config, found):
    port = free_port()
    with uvicorn(site, tmp_path, "--port", str(port), *arguments, config=config) as process:
        until(lambda: process.poll() is not None or listens("127.0.0.1", port), seconds=60)
        seen = raw(port, whole("GET", "/_login/seen", b"", *HEADERS)).json["result"]["seen"]
    assert [seen["peer"][0], seen["address"], seen["trusted"], seen["secure"]] == found
    assert not seen["loopback"]


HOSTILE = [
    "X-Forwarded-For: " + ",".join(["10.0.0.1"] * 6_000), "X-Forwarded-For: " + "," * 60_000, "X-Forwarded-For: \xff\xfe", "X-Forwarded-For: fe80::1%" + "z" * 50, "X-Forwarded-For:", "X-Forwarded-For: [",
    "X-Forwarded-For: 1.2.3.4:99999999", "Forwarded: " + 'for="' * 12_000, "Forwarded: for=" + " " * 60_000 + "x", "Forwarded: " + ";" * 60_000, "Forwarded: \xff", "X-Forwarded-Host: " + "a" * 60_000,
    "X-Forwarded-Host: \xff:[", "X-Forwarded-Proto: " + "https," * 10_000, "Cookie: " + ";" * 60_000, "Cookie: " + "a=1;" * 15_000, "Cookie: \xff=\xff", "Origin: http://[", "Origin: \xff", "Cookie: authToken",
]  # fmt: skip


@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_heads_are_answered_over_http_and_websocket(proxied, raw, line):
    for path in ("/_login/seen", "/_login/seen?" + "&" * 500 + "a=%ff", "/_me"):
        answer = raw(proxied.port, whole("GET", path, b"", line))
        assert answer.status in ({200} if path == "/_login/seen" else {200, 400}), answer.data[:300]
    lines = (
        "Upgrade: websocket",
        f"Sec-WebSocket-Key: {'A' * 22}==",
        "Sec-WebSocket-Version: 13",
        "Connection: Upgrade",
    )
    payload = b'{"controller":"auth","action":"login","strategy":"seen"}'
    with socket.create_connection(("127.0.0.1", proxied.port), 30) as opened:
        opened.sendall(head("GET", "/", *lines, line[:8_000]))  # the most that uvicorn's WebSocket reads
        assert opened.recv(65_536).startswith(b"HTTP/1.1 101 ")
        opened.sendall(bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
        assert b'"seen":' in opened.recv(65_536)
    assert "Traceback" not in proxied.log
