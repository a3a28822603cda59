from __future__ import annotations

import os
import re
import signal
import threading
import time

import pytest

from tests.core.web.messages import read_logins
from tests.waiting import until
from visado_kit.live import LiveHost, serve

from .broken import BROKEN
from .commands import PASSWORD, run


@pytest.mark.parametrize("what", ["a wrong choice", "not UTF-8"])
def test_a_broken_file_stops_the_start(what, tmp_path):
    text, path = BROKEN[what]
    (tmp_path / "visado.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    found = run("serve", "--port", "0", "--data", "data", cwd=tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    assert path in found.stderr
    assert "Traceback" not in found.stderr


PUBLIC = '["-----BEGIN PUBLIC KEY-----\\ncanarycanarycanarycanary\\n-----END PUBLIC KEY-----"]'


PLACES = {
    "a file that is gone": (["--config", "gone.toml"], {}, "gone.toml"),
    "a port": (["--port", "70000"], {}, "server.port"),
    "a variable": ([], {"VISADO_LIMITS__FETCH_COUNT": "canary"}, "limits.fetch_count"),
    "a variable that is no JSON": ([], {"VISADO_HTTP__ALLOW_ORIGINS": "canary"}, "http__allow_origins"),
    "an unknown variable": ([], {"VISADO_SERVER__SURPRISE": "canary"}, "server.surprise"),
    "data that are a file": (["--data", "file"], {}, "file"),
    "data below a file": (["--data", "file/data"], {}, "file"),
    "a secret that is none": (["--data", "data"], {}, "secret"),
    "secrets that are gone": (["--secrets", "gone"], {}, "gone"),
    "a secret that is a public key": (["--data", "none"], {"VISADO_SECURITY__TOKEN__SECRETS": PUBLIC}, "hmac secret"),
}  # fmt: skip


@pytest.mark.parametrize("what", PLACES)
def test_a_broken_place_or_variable_stops_the_start(what, tmp_path):
    words, environment, cause = PLACES[what]
    (tmp_path / "file").write_text("")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret").write_text("canary")
    command = ["serve", "--port", "0"] if "--data" in words or cause == "server.port" else ["config"]
    found = run(*command, *words, cwd=tmp_path, patience=20, **environment)
    assert found.returncode in (1, 2)
    assert "Traceback" not in found.stderr, found.stderr[-300:]
    assert cause in found.stderr.lower()
    assert "canary" not in found.stderr
    assert found.stdout == ""


def test_a_second_process_on_the_same_data_is_refused_naming_the_first(live):
    began = time.monotonic()
    found = run("serve", "--port", "0", "--data", str(live.folder / "data"))
    assert found.returncode == 1
    assert str(live.pid) in found.stderr
    assert "Traceback" not in found.stderr
    assert time.monotonic() - began < 20
    assert live.request("GET", "/_me").status == 200


def test_a_port_that_is_taken_is_named(live, tmp_path):
    found = run("serve", "--port", str(live.port), "--data", str(tmp_path / "data"))
    assert found.returncode == 1
    assert f"127.0.0.1:{live.port}" in found.stderr
    assert "Traceback" not in found.stderr


def test_the_start_says_what_it_should(live):
    text = "\n".join(live.report)
    assert re.match(r"visado \d+\.\d+\.\d+ on http://127\.0\.0\.1:\d+ as knode-", live.report[0])
    assert re.search(r"active +local \(visado-local \d+\.\d+\.\d+\): .*strategy local", text)
    assert "manual:" in text
    assert "NOT SAFE YET: no administrator" in text
    assert "note: failed logins are not throttled" in text


def test_the_start_says_that_throttling_has_no_effect_yet(tmp_path):
    with serve(tmp_path, config="[throttle]\nenabled = true") as host:
        assert any("[throttle] enabled = true has no effect yet" in line for line in host.report)


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_with_requests_in_flight_finishes_them_and_ends_with_0(tmp_path, signal_number):
    host = LiveHost(tmp_path).start()
    answers = []

    def login(number):
        try:
            answers.append(
                host.request("POST", "/_login/local", {"username": f"nobody{number}", "password": "x"}).status
            )
        except OSError as error:
            answers.append(error)

    threads = [threading.Thread(target=login, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    until(lambda: sum(read_logins(host)) - 1 == 20, why="the host has not read what was asked")
    os.kill(host.pid, signal_number)
    for thread in threads:
        thread.join(30)
    assert host._end(signal_number) == 0
    assert len(answers) == 20
    assert set(answers) <= {401, 503}, answers
    assert "Traceback" not in host.log
    began = time.monotonic()
    host.start()
    assert host.stop() == 0
    assert time.monotonic() - began < 30


def test_revoked_stays_revoked_through_crashes(tmp_path):
    host = LiveHost(tmp_path).start()
    try:
        host.create_admin()
        for _ in range(3):
            token, kept = host.login("admin", PASSWORD), host.login("admin", PASSWORD)
            assert host.request("POST", "/_logout", token=token).status == 200
            host.kill()
            host.start()
            assert host.request("GET", "/_me", token=token).status == 401
            assert host.request("GET", "/_me", token=kept).status == 200
    finally:
        host.stop()
