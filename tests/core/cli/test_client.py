from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import threading

import pytest

from visado_kit.live import serve

from .commands import PASSWORD, VISADO, clean, run

MELIS = """{content: {profileIds: ["default"]}, credentials: {local: {username: "melis", password: "password"}}}"""


@pytest.fixture(scope="module")
def open_host(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("open")) as host:
        yield host


@pytest.mark.parametrize("protocol", ["http", "websocket"])
def test_the_walk_word_for_word(open_host, protocol):
    where = {"VISADO_URL": open_host.url, "VISADO_PROTOCOL": protocol}
    name = f"melis-{protocol}"
    body = MELIS.replace("melis", name)
    made = run("security:createUser", body, "--id", name, **where)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["_id"] == name
    login = (
        "auth:login",
        "-a",
        "strategy=local",
        "--body",
        '{username: "NAME", password: "password"}'.replace("NAME", name),
    )
    issued = run(*login, **where)
    assert issued.returncode == 0, issued.stderr
    result = json.loads(issued.stdout)
    assert set(result) == {"_id", "expiresAt", "jwt", "ttl"}
    me = run("auth:getCurrentUser", "-a", f"jwt={result['jwt']}", **where)
    assert json.loads(me.stdout)["_id"] == name
    assert run("auth:logout", "-a", f"jwt={result['jwt']}", **where).returncode == 0
    dead = run("auth:getCurrentUser", "-a", f"jwt={result['jwt']}", **where)
    assert (dead.returncode, dead.stdout) == (1, "")
    assert dead.stderr.startswith("visado: security.token.invalid: ")
    six = json.loads(run(*login, "-a", "expiresIn=6d", **where).stdout)
    assert six["ttl"] == 518_400_000


RELAXED = [
    "{username: 'admin', password: '%s',}", "{username: \"admin\", /* who */ password: '%s'} // why", '{"username": "admin", "password": "%s"}', "\n{\n  'username' : 'admin',\n  password: '%s',\n}\n",
]  # fmt: skip


@pytest.mark.parametrize(
    ("how", "body"), list(zip(["positional", "option", "stdin", "option stdin"], RELAXED, strict=True))
)
def test_relaxed_json_by_every_way(live, body, how):
    text = body % PASSWORD
    words = {"positional": [text], "option": ["--body", text], "stdin": ["-"], "option stdin": ["--body", "-"]}[how]
    found = run("auth:login", *words, stdin=text if "stdin" in how else None, VISADO_URL=live.url)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["_id"] == "admin"


def test_who_asks(live):
    key = live.request("POST", "/api-keys/_create", {"description": ""}, token=live.admin).result["_source"]["token"]
    ways = [
        (["--username", "admin", "--password", PASSWORD, "--url", live.url], {}),
        (["--api-key", key, "--url", live.url + "/"], {}),
        (["--username", "admin", "--password", PASSWORD, "--url", live.url, "--protocol", "websocket"], {}),
        ([], {"VISADO_URL": live.url, "VISADO_USERNAME": "admin", "VISADO_PASSWORD": PASSWORD}),
        ([], {"VISADO_URL": live.url, "VISADO_API_KEY": key}),
    ]
    for words, environment in ways:
        found = run("auth:getCurrentUser", *words, **environment)
        assert found.returncode == 0, found.stderr
        assert json.loads(found.stdout)["_id"] == "admin"
    wrong = run("auth:getCurrentUser", "--username", "admin", "--password", "canary-wrong", VISADO_URL=live.url)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("visado: plugin.strategy.missing_user: ")
    assert "canary" not in wrong.stderr


def test_envelope_and_errors(live):
    found = run("auth:getCurrentUser", "--envelope", VISADO_URL=live.url)
    assert json.loads(found.stdout)["status"] == 200
    found = run("security:getUser", "--id", "admin", "--envelope", VISADO_URL=live.url)
    assert found.returncode == 1
    assert json.loads(found.stdout)["error"]["id"] == "security.rights.unauthorized"
    assert found.stderr.startswith("visado: security.rights.unauthorized: ")
    found = run("security:mDeleteUsers", '{ids: ["gone"]}', "--api-key", live.admin, VISADO_URL=live.url)
    assert (found.returncode, json.loads(found.stdout)) == (1, [])
    assert found.stderr.startswith("visado: services.storage.incomplete_delete: ")
    for words in (["no:where"], ["auth:noWhere"]):
        found = run(*words, "--api-key", live.admin, VISADO_URL=live.url)
        assert (found.returncode, found.stdout) == (1, "")
        assert re.match(r"visado: api\.process\.\w+_not_found: ", found.stderr)


@pytest.mark.parametrize("protocol", ["http", "websocket"])
@pytest.mark.parametrize(
    ("action", "word"), [("server:openapi", '"openapi"'), ("server:metrics", "visado_requests_total")]
)
def test_answers_without_an_envelope(live, protocol, action, word):
    try:
        found = run(action, "--api-key", live.admin, VISADO_URL=live.url, VISADO_PROTOCOL=protocol, patience=10)
    except subprocess.TimeoutExpired:
        pytest.fail("the command waits for an answer that it has")
    assert found.returncode == 0, found.stderr
    assert word in found.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["auth:login", "{bad"], 2), (["auth:login", "{'a': 1"], 2), (["auth:login", "-a", "nothing"], 2), (["auth:login", "--nonsense"], 2), ([], 2), (["nonsense"], 2),
        (["auth:login", "--url", "http://127.0.0.1:1"], 1), (["auth:login", "--url", "http://127.0.0.1:x"], 1), (["auth:login", "--url", "nonsense"], 1), (["auth:login", "--url", ""], 1),
        (["auth:login", "--url", "http://127.0.0.1:99999"], 1), (["auth:login", "--url", "http://[::1"], 1), (["auth:login", "--url", "http://127.0.0.1:1", "--protocol", "websocket"], 1),
        (["auth:login", "--protocol", "carrier-pigeon"], 2), (["auth:login", "--url", "ftp://127.0.0.1"], 1),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_told_in_a_line_and_no_traceback(words, code, capsys, inside):
    try:
        found = inside(*words)
    except SystemExit as usage:
        found = usage.code
    shown = capsys.readouterr()
    assert found in ({1, 2} if "--url" in words else {code}), shown.err
    assert shown.err.strip()
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_a_host_that_is_no_visado(tmp_path):
    import http.server

    class Other(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"[1]")

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        found = run("server:now", "--url", f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert (found.returncode, found.stdout) == (1, "")
    assert "no visado host" in found.stderr


def test_help_says_what_an_action_takes():
    found = run("auth:login", "--help")
    assert found.returncode == 0
    assert "strategy" in found.stdout
    assert "--api-key" in found.stdout
    found = run("auth:nothing", "--help")
    assert (found.returncode, "auth:nothing" in found.stderr) == (1, True)
    assert run("serve", "--help").returncode == 0
    assert re.match(r"visado \d+\.\d+\.\d+", run("--version").stdout)


def test_the_module_is_the_command():
    found = subprocess.run([sys.executable, "-m", "visado", "--version"], capture_output=True, text=True, check=True)
    assert found.stdout == run("--version").stdout


def typed(process, master, prompts):
    """Answer prompts on a terminal, and return all that was shown on it."""
    shown = b""
    for prompt, answer in [*prompts, (None, None)]:
        while prompt is None or prompt not in shown:
            ready, _, _ = select.select([master], [], [], 30)
            try:
                chunk = os.read(master, 4_096) if ready else b""
            except OSError:
                chunk = b""
            if not chunk:
                break
            shown += chunk
        if answer is not None:
            os.write(master, answer + b"\n")
            shown_before, shown = shown, b""
            typed.all = getattr(typed, "all", b"") + shown_before
    process.wait(30)
    return typed.__dict__.pop("all", b"") + shown


def test_admin_create_prompts_on_a_terminal_and_closes_the_host(tmp_path):
    with serve(tmp_path) as host:
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [VISADO, "admin:create", "--url", host.url],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env=clean(),
        )
        os.close(slave)
        prompts = [
            (b"User name", b"root"),
            (b"Password: ", b"canary one"),
            (b"again: ", b"canary two"),
            (b"Password: ", b"canary one"),
            (b"again: ", b"canary one"),
        ]
        shown = typed(process, master, prompts)
        os.close(master)
        assert process.returncode == 0, shown
        assert b"canary" not in shown
        assert host.query("auth:login", body={"username": "root", "password": "canary one"}).status == 200
        assert host.request("GET", "/_now").status == 401
        again = run("admin:create", "--url", host.url, "--username", "eve", "--password", PASSWORD)
        assert (again.returncode, again.stdout) == (1, "")


def test_admin_create_without_prompts_and_without_a_terminal(tmp_path):
    with serve(tmp_path) as host:
        for words in ([], ["--username", "root"]):
            found = run("admin:create", "--url", host.url, *words)
            assert found.returncode != 0
            assert "Traceback" not in found.stderr, found.stderr[-400:]
        found = run("admin:create", "--url", host.url, VISADO_USERNAME="root", VISADO_PASSWORD=PASSWORD)
        assert found.returncode == 0, found.stderr
        assert json.loads(found.stdout)["_source"]["profileIds"] == ["admin"]
        assert host.request("GET", "/_now").status == 401
