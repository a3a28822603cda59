"""A real host with visado-local: each event is recorded once, and no record is lost when the host is killed."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from tests.waiting import until
from visado_kit.canaries import Canaries
from visado_kit.live import serve

PASSWORD = "canary-password-4711"
RESET = "kuzzle-plugin-auth-passport-local/password"
ROLE = {"controllers": {"*": {"actions": {"*": True}}}}
PROFILE = {"policies": [{"roleId": "default"}]}


def user(name, *profiles, password=PASSWORD):
    content = {"profileIds": list(profiles or ["default"])}
    return {"content": content, "credentials": {"local": {"username": name, "password": password}}}


def shown(records):
    return [(each["event"], each["outcome"], each["actor"], each["target"]) for each in records]


class Story:
    """Sends requests to a host, over HTTP or a WebSocket, and reads the records of each request."""

    def __init__(self, host, book, ask):
        self.host, self.book, self._ask = host, book, ask

    def __call__(self, action, body=None, *, token=None, **arguments):
        """Send a request; return the response, and the records of this request."""
        before = len(self.book.records)
        payload = arguments | ({} if body is None else {"body": body})
        answer = self._ask(action, token=token, **payload)
        records = self.book.records[before:]
        for each in records:
            age = datetime.now(UTC) - datetime.fromisoformat(each["at"])
            assert each["at"].endswith("Z")
            assert 0 <= age.total_seconds() < 60
            assert (each["address"], each["requestId"]) == ("127.0.0.1", answer.body["requestId"])
        return answer, records

    def events(self, action, body=None, **arguments):
        return shown(self(action, body, **arguments)[1])


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A host that several tests share, and the token of its administrator."""
    folder = tmp_path_factory.mktemp("busy")
    with serve(folder, config="[local]\nmemory = 7168\niterations = 5\n[limits]\nlogins_per_second = 100\n") as host:
        yield host, host.create_admin("admin", PASSWORD)


@pytest.fixture(params=["http", "websocket"])
def story(request, busy, book_of):
    host, admin = busy
    book = book_of(host.folder)
    if request.param == "http":
        made = Story(host, book, host.query)
        made.admin, made.name = admin, "http"
        yield made
    else:
        with host.socket() as socket:
            made = Story(host, book, socket.query)
            made.admin, made.name = admin, "ws"
            yield made


def test_everything_that_counts_is_recorded_exactly_once(story):
    admin, name = story.admin, f"ann-{story.name}"
    by = {"token": admin}
    assert story.events("security:createUser", user(name), _id=name, **by) == [
        ("user.created", "success", "admin", name),
        ("credentials.created", "success", "admin", name),
    ]
    login = {"username": name, "password": PASSWORD}
    answer, records = story("auth:login", login, strategy="local")
    assert shown(records) == [("login.succeeded", "success", name, name)]
    assert records[0]["strategy"] == "local"
    token = answer.result["jwt"]
    answer, records = story("auth:login", login | {"password": "wrong"}, strategy="local")
    assert (answer.status, shown(records)) == (401, [("login.refused", "refused", None, None)])
    assert (records[0]["strategy"], records[0]["reason"]) == ("local", "plugin.strategy.missing_user")
    assert story.events("auth:login", {}, strategy="nobody") == [("login.refused", "refused", None, None)]
    assert story.events("security:getUser", _id="admin", token=token) == [
        ("access.denied", "refused", name, "security:getUser")
    ]
    assert story.events("security:getUser", _id="admin") == [("access.denied", "refused", None, "security:getUser")]
    assert story.events("auth:refreshToken", token=story.host.login("admin", PASSWORD)) == [
        ("token.refreshed", "success", "admin", "admin")
    ]
    answer, records = story("auth:createToken", singleUse=True, **by)
    assert shown(records) == [("token.issued", "success", "admin", "admin")]
    assert story.events("auth:updateSelf", {"name": "Ann"}, token=token) == [("user.updated", "success", name, name)]
    answer, records = story("auth:createApiKey", {"description": "x"}, _id=f"key-{name}", **by)
    assert (shown(records), records[0]["user"]) == ([("key.created", "success", "admin", f"key-{name}")], "admin")
    assert story.events("auth:deleteApiKey", _id=f"key-{name}", **by) == [
        ("key.deleted", "success", "admin", f"key-{name}")
    ]
    assert story.events("auth:logout", token=token) == [("logout", "success", name, name)]


def test_changes_by_administrators_are_recorded_exactly_once(story):
    admin, name = story.admin, f"bob-{story.name}"
    by = {"token": admin}
    role, profile = f"role-{name}", f"profile-{name}"
    assert story.events("security:createRole", ROLE, _id=role, **by) == [("role.created", "success", "admin", role)]
    assert story.events("security:updateRole", ROLE, _id=role, **by) == [("role.updated", "success", "admin", role)]
    assert story.events("security:createProfile", PROFILE, _id=profile, **by) == [
        ("profile.created", "success", "admin", profile)
    ]
    assert story.events("security:updateProfile", PROFILE, _id=profile, **by) == [
        ("profile.updated", "success", "admin", profile)
    ]
    story("security:createUser", {"content": {"profileIds": ["default", profile]}}, _id=name, **by)
    for verb, change in (("create", "created"), ("update", "updated"), ("delete", "deleted")):
        body = None if verb == "delete" else {"username": name, "password": PASSWORD}
        told = story.events(f"security:{verb}Credentials", body, _id=name, strategy="local", **by)
        assert told == [(f"credentials.{change}", "success", "admin", name)]
    assert story.events("security:updateUser", {"a": 1}, _id=name, **by) == [("user.updated", "success", "admin", name)]
    assert story.events("security:replaceUser", {"profileIds": [profile]}, _id=name, **by) == [
        ("user.updated", "success", "admin", name)
    ]
    assert story.events("security:revokeTokens", _id=name, **by) == [("tokens.revoked", "success", "admin", name)]
    assert story.events("security:deleteProfile", _id=profile, onAssignedUsers="remove", **by) == [
        ("user.updated", "success", "admin", name),
        ("profile.deleted", "success", "admin", profile),
    ]
    assert story.events("security:deleteRole", _id=role, **by) == [("role.deleted", "success", "admin", role)]
    assert story.events("security:deleteUser", _id=name, **by) == [("user.deleted", "success", "admin", name)]


def test_reading_is_not_recorded_nor_is_what_was_refused_for_its_form(story):
    by = {"token": story.admin}
    for action in ("server:now", "auth:getCurrentUser", "security:searchUsers", "auth:getMyRights"):
        assert story.events(action, {} if action.endswith("Users") else None, **by) == []
    assert story.events("security:createUser", {"content": {}}, **by) == []
    assert story.events("security:deleteUser", _id="nobody", **by) == []


def test_a_user_who_could_not_be_made_leaves_no_record(story):
    story("security:createUser", user("taken"), _id="taken", token=story.admin)
    answer, records = story("security:createUser", user("taken"), _id=f"other-{story.name}", token=story.admin)
    assert (answer.status >= 400, records) == (True, [])


def test_bulk_changes_have_a_record_each(story):
    names = [f"{story.name}-{number}" for number in range(3)]
    by = {"token": story.admin}
    body = {
        "roles": {f"role-{each}": ROLE for each in names},
        "profiles": {f"profile-{each}": PROFILE for each in names},
        "users": {each: user(each) for each in names},
    }
    created = [
        *((f"{kind}.created", f"{kind}-{each}") for kind in ("role", "profile") for each in names),
        *((f"{kind}.created", each) for each in names for kind in ("user", "credentials")),
    ]
    told = story.events("admin:loadSecurities", body, **by)
    assert [(kind, target) for kind, _, _, target in told] == created
    told = story.events(
        "admin:loadSecurities", {"users": {names[0]: user(names[0])}}, onExistingUsers="overwrite", **by
    )
    assert [kind for kind, *_ in told] == ["credentials.deleted", "user.deleted", "user.created", "credentials.created"]
    story("security:createApiKey", {"description": "x"}, userId=names[1], **by)
    answer, records = story("security:mDeleteUsers", {"ids": [*names, "nobody"]}, **by)
    assert answer.status == 206
    told = [(each["event"], each["target"] if each["event"] != "key.deleted" else each["user"]) for each in records]
    expected = [(f"{kind}.deleted", each) for each in names for kind in ("credentials", "user")]
    expected.insert(3, ("key.deleted", names[1]))
    assert told == expected


def test_a_forgotten_password_is_a_change_of_credentials_and_a_login(story):
    name = f"zoe-{story.name}"
    story("security:createUser", user(name), _id=name, token=story.admin)
    answer, records = story(f"{RESET}:getResetPasswordToken", _id=name, token=story.admin)
    assert records == []
    reset = answer.result["resetToken"]
    told = story.events(f"{RESET}:reset", {"password": PASSWORD + "2", "token": reset}, token=story.admin)
    assert told == [("credentials.updated", "success", "admin", name), ("login.succeeded", "success", name, name)]
    assert story.events(f"{RESET}:reset", {"password": PASSWORD + "3", "token": reset}, token=story.admin) == []


def test_logging_out_everywhere_and_revoking_are_one_record_each(story):
    name = f"max-{story.name}"
    story("security:createUser", user(name), _id=name, token=story.admin)
    tokens = [story.host.login(name, PASSWORD) for _ in range(3)]
    _, records = story("auth:logout", token=tokens[0], **{"global": True})
    assert [(each["event"], each["everywhere"]) for each in records] == [("logout", True)]


@pytest.mark.parametrize(
    "text", ["a\r\n{}", "\x1b[2J\x9b31m", "\u2028\u202e", '","hash":"0"}\n', "\U0001f511", "x" * 240]
)
def test_names_and_ids_cannot_break_a_line(story, text):
    name = f"{text}-{story.name}"
    before = len(story.book.lines)
    _, records = story("security:createUser", user(name), _id=name, token=story.admin)
    assert [each["target"] for each in records] == [name, name]
    story.host.query("auth:login", strategy=text, body={"username": text, "password": text})
    story.host.request("POST", "/_query", {"controller": text, "action": text}, headers={"X-Request-Id": "a\tb"})
    with story.host.socket() as socket:
        socket.send({"controller": text, "action": text, "requestId": text})
        socket.receive()
    lines = story.book.lines[before:]
    assert len(lines) == 5
    for line in lines:
        assert all(32 <= byte < 127 for byte in line[:-1])
        json.loads(line)
    assert json.loads(lines[-1])["requestId"] == text[:200]


def test_no_secret_is_recorded(story):
    canaries = Canaries([PASSWORD])
    by, name = {"token": story.admin}, f"canary-{story.name}"
    canaries.add(story.admin.split(".")[2])
    wrong = canaries.make("wrong")
    story("security:createUser", user(name, "admin"), _id=name, **by)
    token = canaries.add(story.host.login(name, PASSWORD))
    key = canaries.add(story("auth:createApiKey", {"description": wrong}, token=token)[0].result["_source"]["token"])
    single = canaries.add(story("auth:createToken", singleUse=True, token=token)[0].result["token"])
    reset = canaries.add(story(f"{RESET}:getResetPasswordToken", _id=name, **by)[0].result["resetToken"])
    for secret in (token, key, single, reset):
        canaries.add(secret.split(".")[-1])
    new = canaries.make("new")
    story(f"{RESET}:reset", {"password": new, "token": reset}, **by)
    for body in (
        {"username": name, "password": wrong},
        {"username": wrong, "password": wrong},
        {"password": {"a": wrong}},
    ):
        story.host.query("auth:login", body=body)
    story.host.query("auth:login", password=wrong, body={})
    story.host.query("auth:updateMyCredentials", strategy="local", body={"password": wrong}, token=token)
    story.host.query("security:createUser", body=user("y", password=wrong), _id="y", token=single)
    story.host.query("server:now", token=token + "x")
    story.host.query("auth:logout", token=key)
    text = b"".join(each.read_bytes() for each in story.book.path.parent.iterdir()).decode()
    assert name in text
    canaries.check(text, where="the audit log")


def test_the_log_verifies_while_the_host_runs_and_people_can_read_it(story, run):
    data = ("--data", story.host.folder / "data")
    done = run("audit:verify", *data)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"\d+ records in 1 files, 1 to \d+: all intact\n", done.stdout)
    story.host.query("auth:login", body={"username": "\x1b[2J", "password": "x"}, strategy="\x1b[2J")
    story(
        "security:createUser",
        {"content": {"profileIds": ["default"]}},
        _id=f"\x1b[31mred-{story.name}",
        token=story.admin,
    )
    shown = run("audit:show", *data, "--event", "user.*", "--actor", "admin", "--since", "1 minute", "-n", "1")
    assert shown.stdout.split("  ")[1:5] == [
        "user.created",
        "success",
        "actor=admin",
        f"target=\\x1b[31mred-{story.name}",
    ]
    last = run("audit:show", *data, "-n", "1", "--json").stdout
    assert last.encode() == story.book.lines[-1]
    assert run("audit:show", *data, "--since", "2099-01-01T00:00:00Z").stdout == ""
    assert run("audit:show", *data, "--target", f"\x1b[31mred-{story.name}").stdout.count("\n") == 1


# What happens to the host


def test_a_host_says_when_it_starts_and_ends(start, book_of):
    host = start()
    host.stop()
    host.start()
    host.kill()
    host.start()
    host.stop()
    kinds = [each["event"] for each in book_of(host.folder).records if each["event"].startswith("audit.")]
    assert kinds == ["audit.started", "audit.stopped", "audit.started", "audit.started", "audit.stopped"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("sync", ["true", "false"])
def test_no_acknowledged_event_is_lost_to_a_kill(start, book_of, run, sync):
    host = start(f"[audit]\nsync = {sync}\nrotate_size = 8192\n")
    host.create_admin()
    acknowledged = []

    def log_in(stop):
        while not stop.is_set():
            try:
                answer = host.query("auth:login", body={"username": "nobody", "password": "x"})
            except Exception:  # it was killed meanwhile
                continue
            if answer.status == 401:
                acknowledged.append(answer.body["requestId"])

    for round_ in range(6):
        stop = threading.Event()
        clients = [threading.Thread(target=log_in, args=[stop]) for _ in range(8)]
        for each in clients:
            each.start()
        wanted = len(acknowledged) + 10 + 3 * round_
        until(lambda wanted=wanted: len(acknowledged) >= wanted, seconds=60, why="the host does not answer")
        host.kill()
        stop.set()
        for each in clients:
            each.join()
        host.start()
    host.stop()
    book = book_of(host.folder)
    recorded = [each["requestId"] for each in book.of("login.refused")]
    assert len(acknowledged) > 50
    assert set(acknowledged) <= set(recorded)
    assert len(recorded) == len(set(recorded))
    assert book.of("audit.broken") == []
    done = run("audit:verify", "--data", host.folder / "data")
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(300)
def test_files_are_rotated_under_the_load_of_64_clients(start, book_of, run):
    host = start("[audit]\nrotate_size = 16384\nkeep = 3\n[limits]\nrequests_in_flight = 5000\n")
    host.create_admin()
    told = set()

    def ask(number):
        for _ in range(12):
            told.add(host.query("server:now").body["requestId"])

    began = time.perf_counter()
    with ThreadPoolExecutor(64) as clients:
        list(clients.map(ask, range(64)))
    took = time.perf_counter() - began
    print(f"{len(told) / took:.0f} recorded requests a second")
    book = book_of(host.folder)
    assert len(book.files) == 4
    assert run("audit:verify", "--data", host.folder / "data").returncode == 0
    kept = [each["requestId"] for each in book.of("access.denied")]
    assert len(kept) == len(set(kept))
    assert set(kept) <= told
    assert book.records[-1]["sequence"] >= len(told)


def problem(host, token):
    return host.query("server:info", token=token).result["serverInfo"]["kuzzle"]["observers"]["audit"]


def test_nobody_gets_a_token_without_a_record_where_records_are_required(start, book_of):
    host = start("[audit]\nrequired = true\n")
    admin = host.create_admin("admin", PASSWORD)
    body = {"username": "admin", "password": PASSWORD}
    book = book_of(host.folder)
    folder = book.path.parent
    assert problem(host, admin) == "ready"
    shutil.move(folder, folder.with_name("aside"))
    folder.write_text("in the way")
    answer = host.query("auth:login", body=body)
    assert (answer.status, answer.error_id, answer.result) == (503, "api.process.unobserved", None)
    assert "set-cookie" not in host.query("auth:login", body=body, cookieAuth=True).headers
    assert host.query("auth:getCurrentUser", token=admin).status == 200
    assert "Not a directory" in problem(host, admin) or "File exists" in problem(host, admin)
    health = host.query("server:healthCheck", token=admin)
    assert (health.error_id, health.result["services"]["plugins"]) == ("core.fatal.service_unavailable", "red")
    folder.unlink()
    shutil.move(folder.with_name("aside"), folder)
    assert host.query("auth:login", body=body).status == 200
    assert problem(host, admin) == "ready"
    (missed,) = book.of("audit.missed")
    assert missed["count"] == 2
    host.stop()
    assert book.verify().last == len(book.lines)


def test_where_records_are_not_required_the_host_goes_on_and_says_how_many_are_missing(start, book_of, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "audit").write_text("in the way")
    host = start()
    admin = host.create_admin("admin", PASSWORD)
    assert "File exists" in problem(host, admin)
    assert host.log.count("cannot be written") == 1
    (tmp_path / "data" / "audit").unlink()
    host.login("admin", PASSWORD)
    book = book_of(tmp_path)
    assert [each["event"] for each in book.records] == ["audit.missed", "login.succeeded"]
    assert book.records[0]["count"] >= 9
    assert "can be written again" in host.log


def test_switching_the_log_off_is_its_last_record(start, book_of):
    host = start()
    admin = host.create_admin()
    host.query("security:disablePlugin", plugin="audit", token=admin)
    host.query("security:createRole", _id="unseen", body=ROLE, token=admin)
    host.query("security:enablePlugin", plugin="audit", token=admin)
    book = book_of(host.folder)
    told = [(each["event"], each["actor"], each["on"]) for each in book.of("plugin.switched")]
    assert told == [("plugin.switched", "admin", False), ("plugin.switched", "admin", True)]
    assert [each["event"] for each in book.records[-2:]] == ["plugin.switched"] * 2


def test_a_log_that_was_changed_is_named_by_the_start_by_the_host_and_by_the_command(start, book_of, run):
    host = start()
    admin = host.create_admin()
    host.stop()
    book = book_of(host.folder)
    lines = book.lines
    book.path.write_bytes(b"".join([*lines[:-1], lines[-1].replace(b"audit.stopped", b"audit.started")]))
    host.start()
    assert "was changed or removed" in host.log
    assert "was changed or removed" in problem(host, admin)
    done = run("audit:verify", "--data", host.folder / "data")
    assert done.returncode == 1
    assert f"audit.jsonl, line {len(lines)}: the line was changed" in done.stderr


def test_a_keyed_log_is_verified_with_its_key_and_elsewhere(start, book_of, run, tmp_path):
    key = tmp_path / "key"
    host = start(f"[audit]\nkey_file = '{key}'\n")
    host.create_admin()
    host.stop()
    config = ("--config", tmp_path / "visado.toml", "--data", tmp_path / "data")
    assert run("audit:verify", *config).returncode == 0
    shutil.copytree(tmp_path / "data" / "audit", tmp_path / "copy")
    copy = ("--file", tmp_path / "copy" / "audit.jsonl")
    assert run("audit:verify", *copy, "--key-file", key).returncode == 0
    done = run("audit:verify", *copy, cwd=tmp_path / "copy")
    assert (done.returncode, "another key" in done.stderr) == (1, True)
    done = run("audit:verify", "--file", tmp_path / "nowhere" / "audit.jsonl")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
