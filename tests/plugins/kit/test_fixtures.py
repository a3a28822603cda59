"""The fixtures of the kit, used as in the tests of a plugin."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

import visado_kit

pytest_plugins = ["visado_kit.fixtures"]

LEAKS = """
import logging

import pytest

pytest_plugins = ["visado_kit.fixtures"]


def test_log(canaries):
    logging.getLogger("mine").debug("the password is %s", canaries.make())


@pytest.mark.parametrize("how", [str, lambda text: text.encode().hex(), repr])
def test_result(canaries, how):
    canaries.check({"shown": [how(canaries.make())]})


def test_host(host, canaries):
    canaries.add("visado")
    (host.folder / "log").open("a").write("visado")
"""


@pytest.fixture
def host_config():
    return '[local]\nrequire_password = true\n[security]\npreset = "strict"\n'


def test_a_host_runs_actions_over_http_and_websocket(host, canaries):
    body = {"username": "admin", "password": canaries.make("password")}
    admin = host.create_admin(**body)
    with host.socket() as socket, host.socket() as other:
        response = socket.query("auth:login", strategy="local", body=body)
        assert response.status == 200
        token = response.result["jwt"]
        assert other.query("auth:getCurrentUser", token=token).result["_id"] == "admin"
        assert other.query("server:info").error_id == "security.rights.unauthorized"
        other.send("{")
        assert other.receive()["status"] == 400
        assert host.query("auth:logout", token=admin).status == 200
    assert host.request("GET", "/_me", token=token).result["_id"] == "admin"
    canaries.check(response.body, where="the response")


def test_notifications_are_collected(host):
    host.create_admin(password="a long enough password of an administrator")
    with host.socket() as socket:
        login = {"username": "admin", "password": "a long enough password of an administrator"}
        token = socket.query("auth:login", strategy="local", expiresIn="1s", body=login).result["jwt"]
        assert socket.query("auth:getCurrentUser", token=token).status == 200
        deadline = time.monotonic() + 30
        while not socket.notes and time.monotonic() < deadline:
            socket.query("auth:getCurrentUser")
    assert socket.notes[0]["type"] == "TokenExpired"


def test_the_clock_stands_still_until_it_is_advanced(clock):
    before = clock()
    assert clock.advance(1.5) == clock() == before + 1_500


def test_a_leaked_secret_fails_the_test(tmp_path):
    (tmp_path / "test_leaks.py").write_text(LEAKS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "3 failed, 2 passed, 2 errors" in done.stdout, done.stdout
    for place in ("the log:", "a value that the test checks:", "the log of the host:"):
        assert f"is in {place}" in done.stdout


def test_the_public_names_can_be_imported_from_the_package():
    for name in visado_kit.__all__:
        assert getattr(visado_kit, name)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = visado_kit.Nothing


def test_a_host_needs_no_pytest(tmp_path):
    script = "import sys; sys.modules['pytest'] = None; import visado_kit.live"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(tmp_path))
