from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import pytest

from visado_kit.live import LiveHost, serve

VISADO = str(Path(sys.executable).with_name("visado"))
PASSWORD = "a long enough password"
MELIS = """{content: {profileIds: ["default"]}, credentials: {local: {username: "melis", password: "password"}}}"""


def clean(**more):
    return {name: value for name, value in os.environ.items() if not name.startswith("VISADO_")} | more


def run(*words, stdin=None, cwd=None, patience=60, **environment):
    given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run(
        [VISADO, *words],
        capture_output=True,
        text=True,
        env=clean(**environment),
        cwd=cwd,
        timeout=patience,
        check=False,
        **given,
    )


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """The command in this process, which is quicker: an exception that leaves it would be a traceback."""
    from visado.cli import main

    for name in [each for each in os.environ if each.startswith("VISADO_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return lambda *words: main(words)


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
    assert "no visado" in found.stderr


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


def test_looking_at_plugins_and_settings_makes_no_files(tmp_path):
    for words in (["plugins"], ["config"], ["config", "--template"], ["auth:login", "--help"]):
        assert run(*words, cwd=tmp_path).returncode == 0
        assert list(tmp_path.iterdir()) == [], words


def test_config_shows_settings_and_no_secret(tmp_path):
    (tmp_path / "visado.toml").write_text(
        "[security.token]\nsecrets = ['canary-canary-canary-canary-canary']\n[server]\nport = 1234\n"
    )
    found = run("config", cwd=tmp_path)
    assert found.returncode == 0
    shown = json.loads(found.stdout)
    assert shown["server"]["port"] == 1234
    assert "canary" not in found.stdout + found.stderr


def test_the_template_is_toml_with_or_without_its_comment_signs(tmp_path):
    template = run("config", "--template", cwd=tmp_path).stdout
    assert tomllib.loads(template).keys() >= {"server", "http", "security", "limits", "plugins", "storage", "local"}
    live = "\n".join(line[2:] if re.match(r"# \w+ = ", line) else line for line in template.splitlines())
    values = tomllib.loads(live)
    assert values["server"]["port"] == 7512
    assert values["security"]["token"]["expires_in"] == 3_600_000
    assert values["security"]["preset"] == "compatible"
    (tmp_path / "visado.toml").write_text(live)
    found = run("config", cwd=tmp_path)
    assert found.returncode == 0, f"the defaults that the template shows are no settings: {found.stderr}"


BROKEN = {
    "an unknown table": ("[sever]\nport = 1", "sever"), "an unknown key": ("[server]\nprot = 1", "server.prot"), "a wrong type": ("[server]\nport = 'canary'", "server.port"),
    "out of range": ("[server]\nport = 70000", "server.port"), "a wrong choice": ("[security]\npreset = 'canary'", "security.preset"), "not TOML": ("[server\ncanary", "visado.toml"),
    "a key twice": ("[server]\nport = 1\nport = 2", "visado.toml"), "alg none": ("[security.token]\nalgorithm = 'none'", "security.token.algorithm"),
    "a mixed list": ("[security.token]\nalgorithm = ['HS256', 'RS256']", "security.token.algorithm"), "a short secret": ("[security.token]\nsecrets = ['canary']", "security.token.secrets"),
    "a secret that is no list": ("[security.token]\nsecrets = 'canary-canary-canary-canary-canary-canary'", "security.token.secrets"), "a lifetime": ("[security.token]\nexpires_in = 'canary'", "security.token.expires_in"),
    "a negative grace": ("[security.token]\ngrace_period = -1", "security.token.grace_period"), "every origin": ("[http]\ncookie_origins = ['*']", "http.cookie_origins"), "a list": ("[http]\nallow_origins = 'canary'", "http.allow_origins"),
    "a url": ("[server]\npublic_url = 'canary.example'", "server.public_url"), "a table for a value": ("[server.port]\na = 1", "server.port"), "a value for a table": ("limits = 'canary'", "limits"),
    "a plugin's": ("[local]\nmemory = 1", "local.memory"), "a plugin's unknown key": ("[local]\ncanary = 1", "local.canary"), "a policy": ("[[local.password_policies]]\napplies_to = 'canary'", "local.password_policies"),
    "not UTF-8": (b"[server]\nhost = '\xff'", "visado.toml"), "a limit of none": ("[limits]\nrequest_size = 0", "limits.request_size"), "resources": ("[rights.resources]\nshop = 'buy'", "rights.resources.shop"),
    "a chain of nobody": ("[chain.all]\nstrategies = ['gone']", "chain.all"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_refused_with_the_path_of_the_key(what, tmp_path, inside, capsys):
    text, path = BROKEN[what]
    (tmp_path / "visado.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    code = inside("config", "--data", "data")
    shown = capsys.readouterr()
    assert path in shown.err
    assert "canary" not in shown.err.replace("local.canary", "")
    assert shown.out == ""
    assert code == (1 if "chain" in what else 2)


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


def test_the_start_says_what_it_should(live):
    text = "\n".join(live.report)
    assert re.match(r"visado \d+\.\d+\.\d+ on http://127\.0\.0\.1:\d+ as knode-", live.report[0])
    assert re.search(r"active +local \(visado-local \d+\.\d+\.\d+\): .*strategy local", text)
    assert "manual:" in text
    assert "NOT SAFE YET: no administrator" in text


def test_the_variables_of_the_client_are_no_settings(tmp_path):
    """Whoever has these in a profile may look at settings, too."""
    found = run(
        "config",
        cwd=tmp_path,
        VISADO_URL="http://127.0.0.1:1",
        VISADO_API_KEY="canary",
        VISADO_USERNAME="a",
        VISADO_PASSWORD="canary",
        VISADO_PROTOCOL="http",
    )
    assert found.returncode == 0, found.stderr
    assert "canary" not in found.stdout + found.stderr


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
    time.sleep(0.3)
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
