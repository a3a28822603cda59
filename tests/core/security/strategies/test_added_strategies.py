"""Strategies that administrators add, change and remove while the host runs."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.core.added import CONFIG, KIND, SECRET, create, get, login, remove, update
from tests.core.throwaway import put
from tests.waiting import until
from visado_kit.live import serve


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A closed host with the kind `word`, for tests with strategies of their own names."""
    folder = tmp_path_factory.mktemp("word")
    site = put(folder / "site", "word", KIND)
    with serve(folder, config=CONFIG, environment={"PYTHONPATH": str(site)}) as host:
        host.admin = host.create_admin()
        host.query("security:createUser", token=host.admin, _id="melis", body={"content": {"profileIds": ["default"]}})
        yield host


def test_a_strategy_that_is_added_logs_in_on_the_next_request(shared):
    with shared.socket() as socket:
        assert socket.query("auth:login", strategy="one", body={"word": SECRET}).status == 400
        body = {"kind": "word", "settings": {"word": SECRET, "nested": {"deep": SECRET}, "tries": 5}}
        made = shared.request("POST", "/strategies/one/_create", body, token=shared.admin)
        assert (made.status, made.result) == (
            200,
            {
                "name": "one",
                "kind": "word",
                "plugin": "word",
                "added": True,
                "settings": {"word": "**********", "nested": {"deep": "**********"}, "tries": 5},
                "problem": None,
            },
        )
        assert socket.query("auth:login", strategy="one", body={"word": SECRET}).result["_id"] == "melis"
    assert shared.request("POST", "/_login/one", {"word": "wrong"}).status == 401
    assert "one" in shared.query("auth:getStrategies", token=shared.admin).result
    shown = [
        shared.request("GET", "/strategies/one", token=shared.admin),
        shared.query("security:listPlugins", token=shared.admin),
        shared.query("server:info", token=shared.admin),
        shared.query("security:getAllCredentialFields", token=shared.admin),
    ]
    assert shown[0].result == made.result
    assert "word" in shown[1].result["kinds"]
    for each in (*shown, made):
        assert SECRET not in str(each.body)
    assert SECRET not in shared.log


def test_a_rehearsal_keeps_nothing(shared):
    body = {"kind": "word", "settings": {"word": SECRET}}
    found = shared.request("POST", "/strategies/stage/_validate", body, token=shared.admin)
    assert (found.status, found.result) == (200, True)
    assert "stage is closed" in shared.log
    assert login(shared, "stage").error_id == "security.credentials.unknown_strategy"
    assert get(shared, "stage", shared.admin).error_id == "security.credentials.unknown_strategy"
    assert create(shared, "stage", shared.admin).status == 200


@pytest.mark.parametrize(
    ("settings", "paths"),
    [
        ({}, ["settings.word"]),
        ({"word": {"canary-value": 1}}, ["settings.word"]),
        ({"word": SECRET, "tries": "canary-value"}, ["settings.tries"]),
        ({"word": SECRET, "tries": 0, "timeout": "canary-value"}, ["settings.tries", "settings.timeout"]),
        ({"word": SECRET, "nested": {"a": ["canary-value"]}}, ["settings.nested.a"]),
        ({"word": SECRET, "other": "canary-value"}, ["settings.other"]),
    ],
)
@pytest.mark.parametrize("action", ["createStrategy", "validateStrategy"])
def test_wrong_settings_are_named_by_their_paths_and_never_by_a_value(shared, settings, paths, action):
    body = {"kind": "word", "settings": settings}
    found = shared.query(f"security:{action}", strategy="wrong", body=body, token=shared.admin)
    assert (found.status, found.error_id) == (400, "security.strategy.rejected")
    assert all(f"{path}: " in found.body["error"]["message"] for path in paths)
    for text in (str(found.body), shared.log):
        assert "canary-value" not in text
        assert SECRET not in text
    assert get(shared, "wrong", shared.admin).status == 400


@pytest.mark.parametrize("name", [" ", "-a", "a b", "ä", "a" * 65, "../a", "a\n"])
def test_a_name_is_plain(shared, name):
    assert create(shared, name, shared.admin).error_id == "security.strategy.rejected"


def test_what_is_no_kind_or_no_settings(shared):
    for body, status, words in (
        ({"kind": "none", "settings": {}}, 400, "there is no kind of strategy 'none' ("),
        ({"settings": {}}, 400, "kind"),
        ({"kind": "word"}, 400, "settings"),
        ({"kind": "word", "settings": []}, 400, "settings"),
        ({"kind": ["word"], "settings": {}}, 400, "kind"),
    ):
        found = shared.query("security:createStrategy", strategy="x", body=body, token=shared.admin)
        assert (found.status, words in found.body["error"]["message"]) == (status, True), found.body


def test_names_that_are_taken_are_refused_and_what_the_settings_declare_stays(shared):
    assert create(shared, "local", shared.admin).error_id == "security.strategy.already_exists"
    assert create(shared, "taken", shared.admin).status == 200
    again = create(shared, "taken", shared.admin)
    assert (again.status, again.error_id) == (412, "security.strategy.already_exists")
    for call in (update, remove):
        for name, status, error in (
            ("local", 412, "security.strategy.declared"),
            ("nothing", 400, "security.credentials.unknown_strategy"),
        ):
            found = call(shared, name, shared.admin)
            assert (found.status, found.error_id) == (status, error)
    shown = get(shared, "local", shared.admin).result
    assert (shown["added"], shown["settings"], shown["plugin"]) == (False, None, "local")


def test_an_update_merges_and_null_puts_back(shared):
    create(shared, "changing", shared.admin, tries=5, user="nobody")
    changed = update(shared, "changing", shared.admin, tries=7, user=None)
    assert changed.result["settings"] == {"word": "**********", "tries": 7}
    assert login(shared, "changing").result["_id"] == "melis"
    for changes, path in (({"word": None}, "settings.word"), ({"tries": 0}, "settings.tries")):
        found = update(shared, "changing", shared.admin, **changes)
        assert (found.status, path in found.body["error"]["message"]) == (400, True)
    assert update(shared, "changing", shared.admin, word="another").status == 200
    assert [login(shared, "changing", each).status for each in (SECRET, "another")] == [401, 200]


@pytest.mark.parametrize("mood", ["check refuses", "open raises", "check hangs", "nonsense"])
def test_an_update_that_would_not_work_leaves_what_there_was(shared, mood):
    create(shared, "steady", shared.admin)
    assert update(shared, "steady", shared.admin, mood=mood, word="new").status >= 400
    assert get(shared, "steady", shared.admin).result["settings"] == {"word": "**********"}
    assert login(shared, "steady").status == 200


def test_the_old_one_serves_until_the_new_one_is_ready_and_requests_in_flight_finish_on_it(shared, tmp_path):
    opening, answering = tmp_path / "opening", tmp_path / "answering"
    create(shared, "moving", shared.admin, login_gate=str(answering), word="old", timeout=60)
    new = {"word": "new", "open_gate": str(opening), "login_gate": None}
    with ThreadPoolExecutor(3) as threads:
        before = threads.submit(login, shared, "moving", "old")
        until(lambda: shared.log.count("moving logs in") == 1)
        updating = threads.submit(update, shared, "moving", shared.admin, **new)
        until(lambda: shared.log.count("moving opens") == 2)
        during = threads.submit(login, shared, "moving", "old")
        until(lambda: shared.log.count("moving logs in") == 2)
        opening.touch()
        assert updating.result().status == 200
        assert "moving is closed" not in shared.log
        assert [login(shared, "moving", each).status for each in ("old", "new")] == [401, 200]
        assert not before.done()
        assert not during.done()
        answering.touch()
        assert before.result().status == 200
        assert during.result().status == 200
    until(lambda: shared.log.count("moving is closed") == 1)


def test_credentials_and_tokens_outlive_a_strategy_and_no_credentials_outlive_their_user(word):
    host = word.start()
    users = ("melis", "najada")
    create(host, "corp")
    for user in users:
        credentials = {"corp": {"subject": f"subject of {user}"}}
        body = {"content": {"profileIds": ["default"]}, "credentials": credentials}
        assert host.query("security:createUser", _id=user, body=body).status == 200
    token = login(host, "corp").result["jwt"]
    assert remove(host, "corp").result == {"acknowledged": True}
    assert login(host, "corp").error_id == "security.credentials.unknown_strategy"
    assert remove(host, "corp").error_id == "security.credentials.unknown_strategy"
    me = host.query("auth:getCurrentUser", token=token)
    assert (me.status, me.result["strategies"]) == (200, [])
    host.stop()
    host.start()
    assert host.query("auth:getCurrentUser", token=token).status == 200
    host.query("security:deleteUser", _id="najada")
    host.query("security:createUser", _id="najada", body={"content": {"profileIds": ["default"]}})
    create(host, "corp")
    has = [host.query("security:hasCredentials", strategy="corp", _id=user).result for user in users]
    assert has == [True, False]
    assert host.query("auth:getCurrentUser", token=token).result["strategies"] == ["corp"]
    assert host.query("auth:logout", token=token).status == 200
    assert host.query("auth:getCurrentUser", token=token).status == 401


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_was_added_is_there_after_a_restart(word, end):
    host = word.start()
    host.query("security:createUser", _id="melis", body={"content": {"profileIds": ["default"]}})
    create(host, "kept")
    create(host, "gone")
    create(host, "changed")
    update(host, "changed", word="new")
    remove(host, "gone")
    getattr(host, end)()
    host.start()
    found = [login(host, name, word).status for name, word in (("kept", SECRET), ("gone", SECRET), ("changed", "new"))]
    assert found == [200, 400, 200]
    assert SECRET not in host.log


def test_a_kill_in_the_middle_loses_nothing_that_was_acknowledged(word):
    host = word.start()
    host.query("security:createUser", _id="melis", body={"content": {"profileIds": ["default"]}})
    acknowledged, begun = [], 0
    for round_ in range(3):
        killer = threading.Timer(0.3, host.kill)
        killer.start()
        try:
            while True:
                name, begun = f"round-{begun}", begun + 1
                if create(host, name).status == 200:
                    acknowledged.append(name)
        except (OSError, AttributeError):
            pass
        killer.join()
        host.start()
        assert len(acknowledged) > round_
    there = set(host.query("auth:getStrategies").result) - {"local"}
    assert set(acknowledged) <= there <= {f"round-{each}" for each in range(begun)}
    assert {login(host, name).status for name in there} == {200}


def test_what_is_kept_and_cannot_be_made_is_left_out_and_the_host_says_why(word, tmp_path):
    host = word.start()
    for name in ("fits", "misfits", "clashes"):
        assert create(host, name, tries=5).status == 200
    host.stop()
    module = tmp_path / "site" / "visado_word.py"
    declared = "\n@hookimpl\ndef register_strategies(host):\n    return [Word('clashes', None, host.credentials)]\n"
    strict = KIND.replace("tries: int = Field(3, ge=1)", "tries: int = Field(3, le=4)")
    simple = declared.replace("None", "Words(word='of the settings')")

    module.write_text(strict)
    host.start()
    for name in ("fits", "misfits", "clashes"):
        shown = get(host, name).result
        assert (shown["added"], shown["plugin"], shown["settings"]) == (True, None, None)
        assert "settings.tries: " in shown["problem"]
        assert login(host, name).error_id == "security.credentials.unknown_strategy"
    assert "the strategy 'misfits' is left out" in host.log
    assert set(host.query("security:listPlugins").result["problems"]) == {"fits", "misfits", "clashes"}
    assert remove(host, "misfits").status == 200
    assert update(host, "fits", tries=4).result["problem"] is None
    assert login(host, "fits", "wrong").status == 401
    update(host, "fits", tries=3)
    host.stop()

    module.write_text(KIND + simple)
    host.start()
    assert "already" in get(host, "clashes").result["problem"]
    assert update(host, "clashes", tries=1).error_id == "security.strategy.already_exists"
    assert remove(host, "clashes").status == 200
    assert login(host, "clashes", "wrong").status == 401
    assert get(host, "clashes").result["added"] is False
    host.stop()

    for replaced, by in (
        ("name, settings = ", "name, settings = 'renamed', Words; x, y = "),
        ("def make(self, name, settings):", "def make(self, name, settings):\n        raise BaseException"),
        ("async def open(self):", "async def open(self):\n        raise ValueError"),
    ):
        module.write_text(KIND.replace(replaced, by))
        host.start()
        assert get(host, "fits").result["problem"]
        assert host.request("GET", "/_now").status == 200
        host.stop()
    module.unlink()
    host.start()
    assert "there is no kind of strategy 'word'" in get(host, "fits").result["problem"]
    assert remove(host, "fits").status == 200


@pytest.mark.parametrize(
    ("mood", "status", "error"),
    [
        ("make raises", 500, "plugin.runtime.unexpected_error"),
        ("nonsense", 500, "plugin.runtime.unexpected_error"),
        ("misnamed", 500, "plugin.runtime.unexpected_error"),
        ("limitless", 500, "plugin.runtime.unexpected_error"),
        ("open raises", 500, "plugin.runtime.unexpected_error"),
        ("open hangs", 504, "plugin.strategy.timeout"),
        ("check raises", 500, "plugin.runtime.unexpected_error"),
        ("check refuses", 400, "security.credentials.rejected"),
        ("check hangs", 504, "plugin.strategy.timeout"),
    ],
)
def test_a_kind_that_does_not_do_its_work_leaves_nothing_behind(shared, mood, status, error):
    name = mood.replace(" ", "-")
    found = create(shared, name, shared.admin, mood=mood)
    assert (found.status, found.error_id) == (status, error)
    assert "hidden-cause" not in str(found.body)
    assert get(shared, name, shared.admin).error_id == "security.credentials.unknown_strategy"
    assert create(shared, name, shared.admin).status == 200


@pytest.mark.parametrize("mood", ["make blocks", "open blocks", "check blocks"])
def test_a_kind_that_holds_up_the_host_is_interrupted_and_its_plugin_quarantined(word, mood):
    host = word.start()
    found = create(host, "heavy", mood=mood)
    assert (found.status, found.error_id) == (504, "plugin.strategy.timeout")
    listed = host.query("security:listPlugins").result
    assert listed["plugins"]["word"]["state"] == "quarantined"
    assert "word" not in listed["kinds"]
    assert "there is no kind" in create(host, "light").body["error"]["message"]
    host.query("security:enablePlugin", plugin="word")
    assert create(host, "light").status == 200


def test_closing_is_no_reason_to_wait(shared):
    for mood in ("close hangs", "close raises"):
        create(shared, "sticky", shared.admin, mood=mood, timeout=10)
        began = time.monotonic()
        assert remove(shared, "sticky", shared.admin).status == 200
        assert time.monotonic() - began < 5  # half of the time limit


def test_of_many_who_create_one_name_at_once_one_wins(shared):
    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(lambda _: create(shared, "race", shared.admin, opens=0.2), range(20)))
    assert sorted(each.status for each in found) == [200] + [412] * 19
    with ThreadPoolExecutor(20) as threads:
        done = list(threads.map(lambda each: update(shared, "race", shared.admin, tries=each), range(1, 21)))
    assert {each.status for each in done} == {200}
    until(lambda: shared.log.count("race is closed") == 20)
    assert login(shared, "race").status == 200


def test_a_rehearsal_that_hangs_holds_up_no_other_strategy(shared):
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(create, shared, "slow", shared.admin, mood="check hangs", timeout=4)
        until(lambda: "slow opens" in shared.log)
        assert create(shared, "quick", shared.admin).status == 200
        assert not slow.done()
        assert slow.result().status == 504


def test_administrators_alone_change_the_host(shared):
    local = {"local": {"username": "plain", "password": "a long enough password"}}
    body = {"content": {"profileIds": ["default"]}, "credentials": local}
    shared.query("security:createUser", token=shared.admin, _id="plain", body=body)
    plain = shared.login("plain", "a long enough password")
    strategy = {"strategy": "mine", "body": {"kind": "word", "settings": {"word": SECRET}}}
    for action, payload in (
        ("listPlugins", {}),
        ("disablePlugin", {"plugin": "word"}),
        ("enablePlugin", {"plugin": "word"}),
        ("getStrategy", strategy),
        ("validateStrategy", strategy),
        ("createStrategy", strategy),
        ("updateStrategy", strategy),
        ("deleteStrategy", strategy),
    ):
        answers = [shared.query(f"security:{action}", token=token, **payload) for token in (None, plain)]
        assert [each.status for each in answers] == [401, 403], action


# plugins
