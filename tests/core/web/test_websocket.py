from __future__ import annotations

import base64
import json
import os
import select
import socket
import struct
import threading
import time
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.core.web.messages import read_logins
from tests.waiting import until
from visado_kit.live import LiveHost, serve

PASSWORD = "a long enough password"
CONFIG = """
[limits]
logins_per_second = 1000
request_timeout = 5
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    host = LiveHost(tmp_path_factory.mktemp("sockets"), config=CONFIG).start()
    try:
        host.admin = host.create_admin()
        role = {"controllers": {"auth": {"actions": {"*": True}}}}
        assert host.query("security:createRole", _id="member", body=role, token=host.admin).status == 200
        profile = {"policies": [{"roleId": "member"}]}
        assert host.query("security:createProfile", _id="member", body=profile, token=host.admin).status == 200
        for name in ("ann", "ben"):
            body = {
                "content": {"profileIds": ["member"]},
                "credentials": {"local": {"username": name, "password": PASSWORD}},
            }
            assert host.query("security:createUser", _id=name, body=body, token=host.admin).status == 200
        yield host
    finally:
        host.stop()


class Client:
    """A socket that asks, and keeps what was not an answer."""

    def __init__(self, socket):
        self.socket, self.notes, self.count = socket, [], 0

    def send(self, action, body=None, **others):
        self.count += 1
        controller, _, name = action.rpartition(":")
        payload = {"controller": controller, "action": name, "requestId": f"r{self.count}", **others}
        self.socket.send(json.dumps(payload | ({"body": body} if body is not None else {})))
        return f"r{self.count}"

    def ask(self, action, body=None, **others):
        room = self.send(action, body, **others)
        while True:
            answer = self.read()
            if answer.get("room") == room:
                return answer
            self.notes.append(answer)

    def read(self, patience=20):
        return json.loads(self.socket.recv(patience))

    def raw(self, data):
        self.socket.send(data)
        return self.read()

    def login(self, name="ann", **others):
        return self.ask("auth:login", {"username": name, "password": PASSWORD}, strategy="local", **others)

    def error(self, action, body=None, **others):
        answer = self.ask(action, body, **others)
        return answer["error"] and answer["error"]["id"]


@contextmanager
def client(host, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with connect(
        f"ws://127.0.0.1:{host.port}/",
        additional_headers=named,
        proxy=None,
        max_size=None,
        open_timeout=30,
        close_timeout=5,
    ) as opened:
        yield Client(opened)


def test_the_walk(live):
    with client(live) as ann:
        issued = ann.login()
        assert set(issued) == {
            "action",
            "controller",
            "error",
            "headers",
            "node",
            "requestId",
            "result",
            "room",
            "status",
            "volatile",
        }
        assert issued["room"] == issued["requestId"]
        token = issued["result"]["jwt"]
        assert ann.ask("auth:getCurrentUser", jwt=token)["result"]["_id"] == "ann"
        assert ann.ask("auth:getCurrentUser")["result"]["_id"] == "-1"
        assert ann.ask("auth:logout", jwt=token)["result"] == {"acknowledged": True}
        assert ann.error("auth:getCurrentUser", jwt=token) == "security.token.invalid"
        assert live.request("GET", "/_me", token=token).status == 401


def test_messages_are_pipelined_and_matched_by_room(live):
    with client(live) as ann:
        rooms = [
            ann.send("server:publicApi" if number % 10 else "auth:login", {"username": "x", "password": "y"})
            for number in range(200)
        ]
        answers = [ann.read() for _ in rooms]
    assert sorted(answer["room"] for answer in answers) == sorted(rooms)
    assert all(answer["status"] in (200, 401, 503) for answer in answers)


def test_heartbeat(live):
    with client(live) as ann:
        for data in ('{"p":1}', ' { "p" : 1 } ', b'{"p":1}'):
            assert ann.raw(data) == {"p": 2}
        assert ann.raw('{"p":1,"x":1}')["error"]["id"] == "api.assert.missing_argument"
        assert ann.raw('{"p":2}')["error"]["id"] == "api.assert.missing_argument"
        ann.socket.send("")
        assert ann.raw('{"p":1}') == {"p": 2}
        assert ann.socket.ping().wait(10)


BAD = ["[]", "[1]", "null", "1", '"x"', "true", "NaN", "{", "x", '{"a":1,}', '{"a":1,"a":2}', '{"a":NaN}', '{"a":"\\ud800"}', '{"a":' + "9" * 5_000 + "}", "[" * 400_000, '{"a":' * 200 + "1" + "}" * 200,
       "{'a':1}", " ", "\0", "\ufeff{}", '[{"controller":"server","action":"now"}]']  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=lambda each: each[:12])
def test_what_is_no_request_is_400_and_the_socket_stays(live, text):
    with client(live) as ann:
        answer = ann.raw(text)
        assert (answer["status"], answer["error"]["id"]) == (400, "network.websocket.unexpected_error")
        assert "room" not in answer
        assert len(answer["requestId"]) == 36
        assert ann.raw('{"p":1}') == {"p": 2}


@pytest.mark.parametrize(
    ("payload", "id"),
    [
        ({"controller": 1}, "api.assert.invalid_type"), ({"action": []}, "api.assert.invalid_type"), ({"jwt": 1}, "api.assert.invalid_type"), ({"jwt": {}}, "api.assert.invalid_type"),
        ({"requestId": 1}, "api.assert.invalid_type"), ({"requestId": {}}, "api.assert.invalid_type"), ({"volatile": []}, "api.assert.invalid_type"), ({"volatile": "x"}, "api.assert.invalid_type"),
        ({"body": "x"}, "api.assert.invalid_type"), ({"body": 1}, "api.assert.invalid_type"), ({"controller": ""}, "api.assert.missing_argument"), ({"action": None}, "api.assert.missing_argument"),
        ({"targets": 1}, "api.assert.invalid_type"), ({"targets": [], "index": "i"}, "api.assert.mutually_exclusive"), ({"jwt": ""}, "security.token.invalid"),
    ],
)  # fmt: skip
def test_envelope_errors(live, payload, id):
    with client(live) as ann:
        answer = ann.raw(json.dumps({"controller": "auth", "action": "getCurrentUser", "requestId": "r"} | payload))
        assert (answer["status"], answer["error"]["id"]) == (401 if id.startswith("security") else 400, id)
        assert ann.raw('{"p":1}') == {"p": 2}


def test_what_was_sent_comes_back(live):
    with client(live) as ann:
        answer = ann.ask("auth:getCurrentUser", volatile={"a": 1}, index="i", collection="c")
        assert (answer["volatile"], answer["index"], answer["collection"]) == ({"a": 1}, "i", "c")
        assert len(ann.raw('{"controller":"auth","action":"getCurrentUser"}')["requestId"]) == 36
        assert len(ann.raw('{"controller":"auth","action":"getCurrentUser","requestId":""}')["requestId"]) == 36
        long = ann.raw(json.dumps({"controller": "auth", "action": "getCurrentUser", "requestId": "é\r\n\x1b" * 1000}))
        assert long["room"] == long["requestId"] == "é\r\n\x1b" * 1000


def test_numbers_beyond_all_bounds_come_back_as_json_or_not_at_all(live):
    with client(live) as ann:
        ann.socket.send('{"controller":"auth","action":"getCurrentUser","volatile":{"a":1e999}}')
        text = ann.socket.recv(20)
        assert "Infinity" not in text
        ann.socket.send(
            '{"controller":"security","action":"searchUsers","from":1e999,"jwt":"ADMIN"}'.replace("ADMIN", live.admin)
        )
        assert ann.read()["status"] == 400


def closing(opened):
    """The code with which the host closes."""
    try:
        while True:
            opened.recv(20)
    except ConnectionClosed as error:
        return error.rcvd.code if error.rcvd else None


def test_too_large_messages_close_with_1009(live):
    limit = 1_048_576
    with client(live) as ann:
        assert ann.raw(json.dumps({"p": 1}) + " " * (limit - 8))["p"] == 2
        ann.socket.send("x" * (limit + 1))
        assert closing(ann.socket) == 1009
    with client(live) as ann:
        ann.socket.send(["x" * 65_536] * 20)
        assert closing(ann.socket) == 1009
    with client(live) as ann:
        ann.socket.send(["{"] + [" "] * 10_000 + ['"p":1}'])
        assert ann.read() == {"p": 2}


def test_text_that_is_not_utf8_closes_with_1007(live):
    with client(live) as ann:
        ann.socket.send(b'{"controller":"\xff"}')
        assert ann.read()["error"]["id"] == "network.websocket.unexpected_error"
        frame = b"\x81" + bytes([0x80 | 4]) + b"\0\0\0\0" + b"\xff\xfe\xfd\xfc"
        ann.socket.socket.sendall(frame)
        assert closing(ann.socket) == 1007


def test_frames_that_break_the_protocol_close_with_1002(live):
    for frame in (
        b"\x81\x04abcd",
        b"\xc1" + bytes([0x80 | 1]) + b"\0\0\0\0x",
        b"\x83" + bytes([0x80]) + b"\0\0\0\0",
        b"\x89" + bytes([0x80 | 126]) + struct.pack("!H", 200) + b"\0\0\0\0" + b"x" * 200,
    ):
        with client(live) as ann:
            ann.socket.socket.sendall(frame)
            assert closing(ann.socket) == 1002


def test_compression_is_not_offered(live):
    with connect(f"ws://127.0.0.1:{live.port}/any/path?x=1", proxy=None, compression="deflate") as opened:
        assert "Sec-WebSocket-Extensions" not in opened.response.headers
        opened.send('{"p":1}')
        assert opened.recv(10) == '{"p":2}'


def upgrade(live, **headers):
    try:
        with client(live, **headers) as opened:
            return 101, opened.ask("auth:getCurrentUser")
    except InvalidStatus as error:
        return error.response.status_code, None


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.1:1",
        "http://localhost",
        "https://127.0.0.1",
        "x",
    ],
)
def test_a_foreign_page_with_a_cookie_is_not_let_in(live, origin):
    cookie = f"authToken={live.admin}"
    assert upgrade(live, Origin=origin, Cookie=cookie)[0] == 403
    assert upgrade(live, Origin=origin, Cookie=f"other=1; {cookie}")[0] == 403
    status, answer = upgrade(live, Origin=origin)
    assert (status, answer["result"]["_id"]) == (101, "-1")


def test_the_cookie_of_the_upgrade_speaks_for_every_message(live):
    cookie = f"authToken={live.admin}"
    for headers in ({"Cookie": cookie}, {"Cookie": cookie, "Origin": live.url}):
        status, answer = upgrade(live, **headers)
        assert (status, answer["result"]["_id"]) == (101, "admin")
    with client(live, Cookie=cookie) as admin:
        assert admin.error("auth:getCurrentUser", jwt=live.admin) == "security.token.verification_error"
        assert admin.ask("server:now")["status"] == 200
    assert upgrade(live, Cookie="authToken=kauth-x")[1]["error"]["id"] == "security.token.invalid"


def test_every_socket_that_used_a_token_hears_of_its_end_once(live):
    with client(live) as one, client(live) as two, client(live) as three, client(live) as other:
        issued = one.login(expiresIn=1_500)["result"]
        token = issued["jwt"]
        for each in (two, three):
            assert each.ask("auth:getCurrentUser", jwt=token)["status"] == 200
        three.login(name="ben")
        assert other.ask("auth:checkToken", {"token": token})["result"]["valid"] is True
        for each in (one, two):
            note = each.read()
            assert time.time() * 1000 >= issued["expiresAt"] - 5
            assert note == {
                "status": 200, "info": "This is an automated server notification", "message": "Authentication Token Expired", "type": "TokenExpired",
                "node": note["node"], "room": "kuzzle:notification:server",
            }  # fmt: skip
            assert note["node"].startswith("knode-")
            answer = each.ask("auth:getCurrentUser", jwt=token)
            assert answer["error"]["id"] == "security.token.invalid"
            assert "expired" in answer["error"]["message"]
            assert each.notes == []
        for each in (three, other):
            assert each.raw('{"p":1}') == {"p": 2}
            assert each.notes == []


def test_refreshing_moves_the_links_and_logout_tells_nobody(live):
    with client(live) as one, client(live) as two, client(live) as three:
        old = one.login(expiresIn=2_500)["result"]["jwt"]
        gone = three.login(expiresIn=2_500)["result"]["jwt"]
        assert three.ask("auth:logout", jwt=gone)["status"] == 200
        assert two.ask("auth:getCurrentUser", jwt=old)["status"] == 200
        new = one.ask("auth:refreshToken", jwt=old, expiresIn=3_500)["result"]
        for each in (one, two):
            note = each.read()
            assert note["type"] == "TokenExpired"
            assert time.time() * 1000 >= new["expiresAt"] - 5
        assert three.raw('{"p":1}') == {"p": 2}


def test_a_change_of_rights_counts_for_the_next_message(live):
    with client(live) as ann, client(live) as admin:
        token = ann.login()["result"]["jwt"]

        def may():
            return ann.ask("server:now", jwt=token)["status"]

        def change(action, body, **others):
            assert admin.ask(f"security:{action}", body, jwt=live.admin, **others)["status"] == 200

        def role(allowed):
            return {"controllers": {"server": {"actions": {"now": allowed}}, "auth": {"actions": {"*": True}}}}

        assert may() == 403
        change("createRole", role(True), _id="clock")
        change("createProfile", {"policies": [{"roleId": "clock"}]}, _id="clock")
        change("updateUser", {"profileIds": ["clock"]}, _id="ann")
        assert may() == 200
        change("updateRole", role(False), _id="clock")
        assert may() == 403
        change("updateRole", role(True), _id="clock")
        assert may() == 200
        change("updateProfile", {"policies": [{"roleId": "default"}]}, _id="clock")
        assert may() == 403
        change("updateUser", {"profileIds": ["member"]}, _id="ann")
        change("revokeTokens", None, _id="ann")
        assert ann.error("server:now", jwt=token) == "security.token.invalid"


def test_logging_in_as_another_lets_go_of_the_first(live):
    with client(live) as one:
        ann = one.login(expiresIn=1_000)["result"]["jwt"]
        ben = one.login(name="ben")["result"]["jwt"]
        assert one.ask("auth:getCurrentUser", jwt=ben)["result"]["_id"] == "ben"
        assert live.request("GET", "/_me", token=ann).result["_id"] == "ann"
        with pytest.raises(TimeoutError):
            one.read(1.3)
        assert one.ask("auth:getCurrentUser", jwt=ben)["status"] == 200


@pytest.mark.parametrize("action", ["auth:logout", "security:revokeTokens"])
def test_a_revocation_counts_even_if_its_socket_closes_at_once(live, action):
    """On disk it is done, and so it is in memory: else a token lives until the next start."""
    tokens = []
    for _ in range(20):
        tokens.append(live.login("ann", PASSWORD))
        assert live.request("GET", "/_me", token=tokens[-1]).status == 200
        with client(live) as ann:
            ann.send(action, jwt=live.admin if action.startswith("security") else tokens[-1], _id="ann")
            ann.socket.socket.close()
    until(lambda: read_logins(live, live.admin)[1] == 1, why="the other requests are still in flight")
    before = [live.request("GET", "/_me", token=token).status for token in tokens]
    live.kill()
    live.start()
    after = [live.request("GET", "/_me", token=token).status for token in tokens]
    assert set(after) == {401}, "a request was lost because its client left"
    assert before == after, "a token that is dead on disk lived on in memory"


def test_raw_results_have_the_room(live):
    with client(live) as admin:
        admin.socket.send(
            json.dumps({"controller": "server", "action": "openapi", "requestId": "o", "jwt": live.admin})
        )
        document = admin.read()
        assert document["openapi"].startswith("3.1")
        assert document["room"] == "o"
        admin.socket.send(
            json.dumps({"controller": "server", "action": "metrics", "requestId": "m", "jwt": live.admin})
        )
        assert "visado_requests_total" in admin.read()


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    with serve(
        tmp_path_factory.mktemp("strict"), config="[limits]\nidle_timeout = 1\nmessages_per_second = 5\n"
    ) as host:
        yield host


def test_a_silent_socket_is_closed_and_a_talking_one_is_not(strict):
    with client(strict) as silent, client(strict) as talking:
        began = time.monotonic()
        while time.monotonic() - began < 1.6:
            assert talking.raw('{"p":1}') == {"p": 2}
            time.sleep(0.3)  # subject: a client that talks more often than the idle timeout
        assert closing(silent.socket) == 1011
        assert talking.socket.ping().wait(10)


def test_messages_and_logins_per_second_have_limits(strict):
    with client(strict) as ann:
        for _ in range(30):
            ann.socket.send('{"controller":"auth","action":"getCurrentUser"}')
        answers = [ann.read() for _ in range(30)]
        refused = [answer for answer in answers if answer["status"] == 429]
        assert len(refused) >= 10
        assert {answer["error"]["id"] for answer in refused} == {"network.websocket.ratelimit_exceeded"}
        assert not any("room" in answer for answer in refused)
    with client(strict) as ann:
        rooms = [ann.send("auth:login", {"username": "x", "password": "y"}) for _ in range(3)]
        statuses = sorted(ann.read()["status"] for _ in rooms)
        assert statuses == [401, 429, 429]


def test_sigterm_finishes_what_was_asked_and_says_goodbye(tmp_path):
    with serve(tmp_path) as host:
        codes, answers = [], []

        def hold(number):
            with client(host) as ann:
                ready.wait(20)
                if number % 2:
                    ann.send("auth:login", {"username": f"nobody{number}", "password": "x"})
                    sent.release()
                    try:
                        answers.append(ann.read())
                    except ConnectionClosed:
                        answers.append(None)
                else:
                    sent.release()
                codes.append(closing(ann.socket))

        ready, sent = threading.Barrier(21), threading.Semaphore(0)
        threads = [threading.Thread(target=hold, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        ready.wait(20)
        for _ in threads:
            sent.acquire(timeout=20)
        until(lambda: sum(read_logins(host)) - 1 == 10, why="the host has not read what was asked")
        assert host.stop() == 0
        for thread in threads:
            thread.join(20)
    assert codes == [1001] * 20
    assert None not in answers
    assert {answer["status"] for answer in answers} <= {401, 503}


def test_nothing_of_this_went_wrong_inside(live, strict):
    """The last test of this module."""
    for host in (live, strict):
        assert "Traceback" not in host.log
        os.kill(host.pid, 0)


def never_reads(host):
    """Open a socket, ask for more than anybody keeps for a reader, and read none of it."""
    connection = socket.create_connection(("127.0.0.1", host.port))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    key = base64.b64encode(os.urandom(16))
    connection.sendall(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
    )
    assert connection.recv(1_000).startswith(b"HTTP/1.1 101")
    message = json.dumps({"controller": "server", "action": "publicApi"}).encode()
    frame = struct.pack("!BB", 0x81, 0x80 | len(message)) + b"\0\0\0\0" + message
    connection.setblocking(False)
    while select.select([], [connection], [], 2)[1]:  # until the host reads no more of it
        connection.send(frame * 50)
    return connection


def is_gone(connection):
    """Send a ping; return whether the other side has closed."""
    try:
        connection.send(b"\x89\x80\0\0\0\0")
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return False


def test_who_reads_too_slowly_is_let_go_and_costs_little(tmp_path):
    with serve(tmp_path) as host, never_reads(host) as connection:
        assert host.request("GET", "/_now").status == 200
        until(lambda: is_gone(connection), seconds=30)


def test_a_host_stops_although_somebody_does_not_read(tmp_path):
    with serve(tmp_path) as host, never_reads(host):
        began = time.monotonic()
        assert host.stop() == 0
        assert time.monotonic() - began < 25  # the limit of ten seconds, and a machine that may be busy
