"""The walk through "Authenticate Users", word for word: a user, a first token, who am I."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.node import install, unavailable
from visado_kit.live import LiveHost

from .conftest import USUAL

FOLDER = Path(__file__).parents[1] / "sdk"

CREATE = """kourou security:createUser '{
  content: {
    profileIds: ["default"]
  },
  credentials: {
    local: {
      username: "melis",
      password: "password"
    }
  }
}'"""
LOGIN = """curl -XPOST 'http://localhost:7512/_login/local' \\
  -H 'Content-Type: application/json' \\
  -d '{
  "username": "melis",
  "password": "password"
}'"""
LOGIN_BY_COMMAND = """kourou auth:login -a strategy=local --body '{
  username: "melis",
  password: "password"
}'"""
WHO = 'curl -H "Authorization: Bearer <token>" http://localhost:7512/_me'
WHO_BY_COMMAND = "kourou auth:getCurrentUser -a jwt=<token>"
WHO_BY_WEBSOCKET = """npx wscat -c ws://localhost:7512 --execute '{
  "controller": "auth",
  "action": "getCurrentUser",
  "jwt": "<token>"
}'"""
WHO_BY_SDK = """kourou sdk:execute '
  sdk.jwt = "<token>";
  console.log(await sdk.auth.getCurrentUser());
'"""
ENVELOPE = ["action", "controller", "error", "headers", "node", "requestId", "result", "status", "volatile"]
KUID = r"kuid-[a-z]+-[a-z]+-\d{1,5}"
TOKEN = r"kauth-eyJ[\w-]+\.[\w-]+\.[\w-]+"

WSCAT = """
import ws from "ws";
const socket = new ws(process.argv[1]);
socket.on("open", () => socket.send(process.argv[2]));
socket.on("message", (text) => { console.log(String(text)); socket.close(); });
"""
EXECUTE = """
import client from "kuzzle-sdk";
const sdk = new client.Kuzzle(new client.WebSocket("localhost", { port: Number(process.argv[1]) }));
await sdk.connect();
%s
sdk.disconnect();
"""


class Walker:
    """Types commands as the document has them; ours stands for the reference's, and the port may be another."""

    def __init__(self, host: LiveHost) -> None:
        self.host = host
        self.token = ""

    def filled(self, command: str) -> str:
        return command.replace(f":{USUAL}", f":{self.host.port}").replace("<token>", self.token)

    def words(self, command: str) -> str:
        return re.sub(r"^kourou ", f"'{Path(sys.executable).with_name('visado')}' ", self.filled(command))

    def type(self, command: str, **environment: str) -> str:
        if command.startswith("curl") and shutil.which("curl") is None:
            unavailable("curl is not installed")
        given = {**os.environ, "VISADO_URL": self.host.url, **environment}
        done = subprocess.run(
            ["/bin/sh", "-c", self.words(command)], env=given, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def quoted(self, command: str) -> str:
        """What stands between the quotes of a command."""
        found = re.search(r"'(.*)'", self.filled(command), re.DOTALL)
        assert found is not None
        return found[1]

    def node(self, program: str, *arguments: str) -> str:
        command = [
            install(FOLDER, "the official JavaScript client"),
            "--input-type=module",
            "--eval",
            program,
            "--",
            *arguments,
        ]
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def walker(host: LiveHost) -> Walker:
    """Somebody who has made the user and logged in, as the document begins."""
    walking = Walker(host)
    created = json.loads(walking.type(CREATE))
    assert re.fullmatch(KUID, created["_id"])
    assert created["_source"]["profileIds"] == ["default"]
    walking.token = host.login("melis", "password")
    return walking


def is_melis(shown: dict[str, Any]) -> bool:
    return re.fullmatch(KUID, shown["_id"]) is not None and shown["_source"]["profileIds"] == ["default"]


def test_the_login_answers_the_documents_envelope(walker: Walker):
    before = time.time() * 1000
    answer = json.loads(walker.type(LOGIN))
    assert sorted(answer) == ENVELOPE
    result = answer.pop("result")
    assert sorted(result) == ["_id", "expiresAt", "jwt", "ttl"]
    assert re.fullmatch(KUID, result["_id"])
    assert re.fullmatch(TOKEN, result["jwt"])
    assert result["ttl"] == 3_600_000
    assert before + 3_600_000 <= result["expiresAt"] <= time.time() * 1000 + 3_600_000
    assert re.fullmatch(r"knode-[a-z]+-[a-z]+-\d{1,5}", answer.pop("node"))
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer.pop("requestId"))
    fixed = {"action": "login", "controller": "auth", "error": None, "headers": {}, "status": 200, "volatile": None}
    assert answer == fixed


def test_who_am_i_with_curl(walker: Walker):
    answer = json.loads(walker.type(WHO))
    assert sorted(answer) == ENVELOPE
    assert is_melis(answer["result"])
    assert answer["result"]["strategies"] == ["local"]


@pytest.mark.parametrize("protocol", ["http", "websocket"])
def test_log_in_with_the_command_line(walker: Walker, protocol: str):
    result = json.loads(walker.type(LOGIN_BY_COMMAND, VISADO_PROTOCOL=protocol))
    assert sorted(result) == ["_id", "expiresAt", "jwt", "ttl"]
    assert re.fullmatch(TOKEN, result["jwt"])


@pytest.mark.parametrize("protocol", ["http", "websocket"])
def test_who_am_i_with_the_command_line(walker: Walker, protocol: str):
    assert is_melis(json.loads(walker.type(WHO_BY_COMMAND, VISADO_PROTOCOL=protocol)))


def test_who_am_i_by_websocket(walker: Walker):
    with connect(f"ws://127.0.0.1:{walker.host.port}", proxy=None) as socket:
        socket.send(walker.quoted(WHO_BY_WEBSOCKET))
        answer = json.loads(socket.recv(timeout=20))
    assert sorted(answer) == sorted([*ENVELOPE, "room"])
    assert answer["room"] == answer["requestId"]
    assert is_melis(answer["result"])


def test_who_am_i_by_websocket_with_node(walker: Walker):
    said = walker.node(WSCAT, f"ws://localhost:{walker.host.port}", walker.quoted(WHO_BY_WEBSOCKET))
    assert is_melis(json.loads(said)["result"])


def test_who_am_i_with_the_javascript_client(walker: Walker):
    said = walker.node(EXECUTE % walker.quoted(WHO_BY_SDK), str(walker.host.port))
    assert re.search(rf"_id: '{KUID}'", said)
    assert re.search(r"profileIds: \[ 'default' \]", said)


def test_after_the_logout_the_token_is_dead(walker: Walker):
    token = walker.host.login("melis", "password")
    answer = walker.host.request("POST", "/_logout", token=token)
    assert answer.result == {"acknowledged": True}
    former, walker.token = walker.token, token
    try:
        answer = json.loads(walker.type(WHO))
        assert (answer["status"], answer["error"]["id"], answer["result"]) == (401, "security.token.invalid", None)
    finally:
        walker.token = former
    assert is_melis(json.loads(walker.type(WHO))["result"])


def test_the_user_of_the_issue_by_http(walker: Walker):
    credentials = {"local": {"username": "sam", "password": "password"}}
    body = {"content": {"profileIds": ["default"]}, "credentials": credentials}
    assert re.fullmatch(KUID, walker.host.request("POST", "/users/_create", body).result["_id"])
    assert walker.host.request("POST", "/users/_create", body).status == 412
    assert re.fullmatch(TOKEN, walker.host.login("sam", "password"))


class TestCommandLine:
    """The words of the command line beside the document's."""

    def run(
        self, walker: Walker, words: str, *, stdin: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        given = {**os.environ, "VISADO_URL": walker.host.url, **environment}
        command = ["/bin/sh", "-c", walker.words(f"kourou {words}")]
        return subprocess.run(command, env=given, input=stdin, capture_output=True, text=True, timeout=60, check=False)

    def test_a_user_with_an_id(self, walker: Walker):
        body = CREATE.partition("'")[2].rstrip("'").replace("melis", "najada")
        done = self.run(walker, f"security:createUser '{body}' --id najada")
        assert json.loads(done.stdout)["_id"] == "najada", done.stderr
        again = self.run(walker, f"security:createUser '{body}' --id najada")
        assert (again.returncode, again.stdout) == (1, "")
        assert "security.user.already_exists" in again.stderr

    @pytest.mark.parametrize(
        "body",
        [
            '{/* who */ username: "melis", password: "password",} // done',
            "{'username': 'melis', 'password': 'password'}",
        ],
        ids=["comments", "single quotes"],
    )
    def test_relaxed_json_from_standard_input(self, walker: Walker, body: str):
        done = self.run(walker, "auth:login -a strategy=local -a expiresIn=2h -", stdin=body)
        assert json.loads(done.stdout)["ttl"] == 7_200_000, done.stderr

    def test_no_json_at_all(self, walker: Walker):
        done = self.run(walker, "auth:login --body '{username'")
        assert (done.returncode, done.stdout) == (2, "")
        assert "neither JSON nor JSON5" in done.stderr

    def test_the_whole_envelope(self, walker: Walker):
        done = self.run(walker, "auth:getCurrentUser --envelope -a jwt=<token>")
        assert sorted(json.loads(done.stdout)) == ENVELOPE

    def test_logged_in_first(self, walker: Walker):
        done = self.run(walker, "auth:getCurrentUser --protocol websocket --username melis --password=password")
        assert is_melis(json.loads(done.stdout))

    def test_logged_in_first_by_the_environment(self, walker: Walker):
        done = self.run(walker, "auth:getCurrentUser", VISADO_USERNAME="melis", VISADO_PASSWORD="password")
        assert is_melis(json.loads(done.stdout))

    def test_a_wrong_password(self, walker: Walker):
        done = self.run(walker, "auth:getCurrentUser --username melis --password x")
        assert (done.returncode, done.stdout) == (1, "")
        assert "plugin.strategy.missing_user" in done.stderr

    @pytest.mark.parametrize("by", ["option", "environment"])
    def test_with_an_api_key(self, walker: Walker, by: str):
        created = walker.host.query("auth:createApiKey", token=walker.token, body={"description": "k"})
        key = created.result["_source"]["token"]
        option, given = (f"--api-key {key}", {}) if by == "option" else ("", {"VISADO_API_KEY": key})
        assert is_melis(json.loads(self.run(walker, f"auth:getCurrentUser {option}", **given).stdout))

    def test_no_host_there(self, walker: Walker):
        done = self.run(walker, "server:now --url http://127.0.0.1:1")
        assert (done.returncode, done.stdout) == (1, "")
        assert "127.0.0.1:1" in done.stderr

    def test_an_unknown_protocol_in_the_environment(self, walker: Walker):
        done = self.run(walker, "server:now", VISADO_PROTOCOL="carrier pigeon")
        assert (done.returncode, done.stdout) == (2, "")
