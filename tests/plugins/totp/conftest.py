from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from visado_kit.live import LiveHost, serve

from .phone import Phone

PASSWORD = "a long and private phrase"
CONFIG = """
[limits]
logins_per_second = 1000

[totp]
window = 5
"""


@dataclass
class Door:
    """A running host, and the transport of a test's requests."""

    host: LiveHost
    transport: str
    _sockets: list = field(default_factory=list)

    def query(self, action, *, token=None, **payload):
        if self.transport == "http":
            return self.host.query(action, token=token, **payload)
        with self.host.socket() as socket:
            return socket.query(action, token=token, **payload)

    def user(self, name, **content):
        body = {
            "content": {"profileIds": ["default"], **content},
            "credentials": {"local": {"username": name, "password": PASSWORD}},
        }
        answer = self.host.query("security:createUser", _id=name, body=body)
        assert answer.status == 200, answer.body
        return name

    def login(self, name, **fields):
        body = {"username": name, "password": PASSWORD, **fields}
        return self.query("auth:login", strategy="local", body=body)

    def token(self, name):
        return self.login(name).result["jwt"]

    def reply(self, challenge, code, **fields):
        body = {"challenge": challenge["reference"], "code": code, **fields}
        return self.query("auth:login", strategy="local", body=body)

    def enrolled(self, name, **content):
        """Create a user who has enrolled a phone; return the phone, a token, and the recovery codes."""
        token = self.token(self.user(name, **content))
        begun = self.query("totp:begin", token=token).result
        phone = Phone(begun["uri"])
        answer = self.query("totp:confirm", token=token, body={"enrolment": begun["enrolment"], "code": phone.code()})
        assert answer.status == 200, answer.body
        return phone, token, answer.result["recoveryCodes"]

    def challenged(self, name, **fields):
        answer = self.login(name, **fields)
        assert answer.error_id == "security.login.challenged", answer.body
        return answer.result["challenge"]


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    """Start a host with settings, once for all tests that need the same ones."""
    started = {}

    def start(config=""):
        text = CONFIG + config
        if text not in started:
            made = serve(tmp_path_factory.mktemp("totp"), config=text)
            started[text] = (made, made.__enter__())
        return started[text][1]

    yield start
    for made, _ in started.values():
        made.__exit__(None, None, None)


@pytest.fixture(params=["http", "websocket"])
def transport(request):
    return request.param


@pytest.fixture
def name(request):
    """A user name that no other test uses."""
    return "".join(char if char.isalnum() else "-" for char in request.node.name)


@pytest.fixture
def door(running, transport):
    return Door(running(), transport)
