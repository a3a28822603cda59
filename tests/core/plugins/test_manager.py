from __future__ import annotations

import os
import shutil
import subprocess
import sys
import types

import pytest

from tests.core.throwaway import GOOD, command, put
from visado import hookimpl
from visado.plugins.manager import MARKS_WITHOUT_EFFECT, Hooks
from visado_kit import live
from visado_kit.live import LiveHost


def lines_of(output, name):
    """What `visado plugins` says of a plugin."""
    found, inside = [], False
    for line in output.splitlines():
        inside = line.startswith(f"{name} ") if not line.startswith(" ") else inside
        if inside:
            found.append(line)
    return "\n".join(found)


def test_a_plugin_is_listed_with_package_version_and_what_it_brings(install, visado):
    install("word", GOOD.format(name="word"))
    shown = visado("plugins")
    assert shown.returncode == 0
    assert lines_of(shown.stdout, "word").startswith("word  visado-word 1.2.3  active")
    assert "strategy word" in lines_of(shown.stdout, "word")
    assert "strategy local" in lines_of(shown.stdout, "local")
    assert "storage tinydb:" in lines_of(shown.stdout, "tinydb")


BROKEN = {
    "import error": ("import nowhere_to_be_found_canary", "nowhere_to_be_found_canary"),
    "syntax error": ("def canary(:\n", "SyntaxError"),
    "exit": ("raise SystemExit('canary')", "canary"),
    "raises": ("1 / 0", "ZeroDivisionError"),
    "misspelt hook": ("from visado import hookimpl\n@hookimpl\ndef register_strategy():\n    return []\n", "register_strategy"),
    "unknown argument": ("from visado import hookimpl\n@hookimpl\ndef register_strategies(canary):\n    return []\n", "canary"),
    "strategies raise": ("from visado import hookimpl\n@hookimpl\ndef register_strategies():\n    raise ValueError('canary')\n", "canary"),
    "strategies exit": ("from visado import hookimpl\n@hookimpl\ndef register_strategies():\n    raise SystemExit('canary')\n", "canary"),
    "settings raise": ("from visado import hookimpl\n@hookimpl\ndef register_settings():\n    raise ValueError('canary')\n", "canary"),
    "settings of another kind": ("from visado import hookimpl\n@hookimpl\ndef register_settings():\n    return 42\n", "int"),
    "strategies of another kind": ("from visado import hookimpl\n@hookimpl\ndef register_strategies():\n    return [42]\n", "int"),
    "strategies none": ("from visado import hookimpl\n@hookimpl\ndef register_strategies():\n    return 42\n", "int"),
    "controllers of another kind": ("from visado import hookimpl\n@hookimpl\ndef register_controllers():\n    return ['x']\n", "str"),
    "an abstract strategy": ("from visado import *\nfrom visado import hookimpl\nclass S(Strategy):\n    name = 'canary'\n@hookimpl\ndef register_strategies():\n    return [S()]\n", "abstract"),
    "settings declared, then strategies raise": ("from visado import *\nfrom visado import hookimpl\nclass B(Section):\n    name = 'bad'\n@hookimpl\ndef register_settings():\n    return B\n@hookimpl\ndef register_strategies():\n    raise ValueError('canary')\n", "canary"),
    "an error id of the host": ("from visado import errors\nclass E(errors.BadRequest, id='security.user.not_found'):\n    pass\n", "security.user.not_found"),
    **{
        f"a mark without effect: {mark}": (f"from visado import hookimpl\n@hookimpl({mark}=True)\ndef register_strategies():\n    yield []\n", f"register_strategies is marked {mark}=True")
        for mark in ("tryfirst", "trylast", "wrapper", "hookwrapper")
    },
    "a name that is none": (GOOD.format(name="bad").replace("name = 'bad'", "name = 42"), "name"),
}  # fmt: skip


@pytest.fixture(scope="module")
def quarantine(tmp_path_factory):
    """What `visado plugins` says where all of these are installed at once."""
    folder = tmp_path_factory.mktemp("quarantine")
    for number, (source, _) in enumerate(BROKEN.values()):
        put(folder / "site", f"bad{number:02}", source)
    return command(folder, "plugins")


@pytest.mark.parametrize(("number", "what"), list(enumerate(BROKEN)))
def test_a_broken_plugin_is_quarantined_with_its_cause_and_the_rest_is_up(quarantine, number, what):
    assert quarantine.returncode == 0, quarantine.stderr
    shown = lines_of(quarantine.stdout, f"bad{number:02}")
    assert shown.startswith(f"bad{number:02}  visado-bad{number:02} 1.2.3  quarantined"), shown
    assert BROKEN[what][1] in shown, "the reason is told"
    assert "strategy local" in lines_of(quarantine.stdout, "local")
    assert "Traceback" not in quarantine.stderr


def test_a_limit_that_is_none_quarantines_the_plugin_by_name(install, visado):
    install("bad", GOOD.format(name="bad").replace("    name =", "    concurrency = -1\n    name ="))
    shown = visado("plugins")
    assert shown.returncode == 0, shown.stderr
    assert lines_of(shown.stdout, "bad").startswith("bad  visado-bad 1.2.3  quarantined")


def test_a_plugin_that_fails_halfway_brings_nothing(install):
    install(
        "bad", GOOD.format(name="half") + "\n@hookimpl\ndef register_controllers():\n    raise ValueError('canary')\n"
    )
    site = install(
        "worse", GOOD.format(name="late").replace("return [Word()]", "yield Word()\n    raise ValueError('canary')")
    )
    code = "import sys; from visado.app import create_app; print(*create_app({'server': {'data': sys.argv[1]}}).security.strategies)"
    environment = {**os.environ, "PYTHONPATH": str(site)}
    found = subprocess.run(
        [sys.executable, "-c", code, f"{site}-data"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert "local" in found.stdout.split(), found.stderr
    assert not {"half", "late"} & set(found.stdout.split())


def test_the_settings_of_a_plugin_that_is_away_do_not_stop_the_start(install, visado):
    install("directory", "import nowhere_to_be_found_canary")
    tables = "[local]\nmemory = 19456\n[directory]\nurl = 'ldap://127.0.0.1'\n"
    shown = visado("plugins", config=f"[plugins]\ndisabled = ['local']\n{tables}")
    assert shown.returncode == 0, shown.stderr
    assert lines_of(shown.stdout, "local").startswith("local  visado-local 0.1.0  disabled")
    assert "quarantined" in lines_of(shown.stdout, "directory")


@pytest.mark.parametrize("other", ["aaa", "zzz"])
def test_two_plugins_that_claim_one_strategy_stop_the_start_naming_both(install, visado, other):
    install(other, GOOD.format(name="local"))
    shown = visado("plugins")
    assert shown.returncode == 1
    assert "'local'" in shown.stderr
    assert f"visado_{other}" in shown.stderr
    assert "visado_local" in shown.stderr
    assert "Traceback" not in shown.stderr


@pytest.mark.parametrize("first", ["aaa", "zzz"])
def test_a_plugin_name_that_two_projects_declare_is_quarantined_naming_both(install, visado, tmp_path, first):
    second = "zzz" if first == "aaa" else "aaa"
    for name in (first, second):
        install(name, "raise RuntimeError('loaded')", point="badge")
    shown = visado("plugins")
    assert shown.returncode == 0, shown.stderr
    badge = lines_of(shown.stdout, "badge")
    assert "quarantined" in badge
    for name in (first, second):
        assert f"visado-{name} 1.2.3 in {tmp_path / 'site'}" in badge
    assert "uninstall all but one" in badge
    assert "loaded" not in badge
    assert "strategy local" in lines_of(shown.stdout, "local")


def test_a_required_plugin_whose_name_another_project_declares_too_stops_the_start(install, visado):
    install("other", GOOD.format(name="other"), point="local")
    assert "quarantined" in lines_of(visado("plugins").stdout, "local")
    shown = visado("plugins", config="[plugins]\nrequired = ['local']\n")
    assert shown.returncode == 1
    assert "visado-other 1.2.3 in " in shown.stderr.splitlines()[-1]
    assert "visado-local 0.1.0 in " in shown.stderr.splitlines()[-1]
    said = visado("local:anything")
    assert said.returncode == 1
    assert "visado-other 1.2.3 in " in said.stderr


def test_a_disabled_plugin_may_be_declared_twice(install, visado):
    install("other", GOOD.format(name="other"), point="local")
    shown = visado("plugins", config="[plugins]\ndisabled = ['local']\n")
    assert " disabled" in lines_of(shown.stdout, "local").splitlines()[0]


def test_leftovers_of_pip_and_a_project_on_the_path_twice_change_nothing(install, visado, tmp_path):
    install("word", GOOD.format(name="word"))
    leftover = tmp_path / "site" / "~isado_word-1.0.0.dist-info"
    shutil.copytree(tmp_path / "site" / "visado_word-1.2.3.dist-info", leftover)
    again = put(tmp_path / "again", "word", "raise RuntimeError('loaded')")
    shown = visado("plugins", path=[again])
    assert shown.returncode == 0, shown.stderr
    assert lines_of(shown.stdout, "word").startswith("word  visado-word 1.2.3  active")


def test_a_plugin_for_another_major_version_is_not_loaded(tmp_path):
    put(tmp_path / "site", "next", "raise RuntimeError('loaded')\n")
    metadata = tmp_path / "site" / "visado_next-1.2.3.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text() + "Requires-Dist: visado>=9,<10\n")
    with live.serve(tmp_path, environment={"PYTHONPATH": str(tmp_path / "site")}) as host:
        shown = host.query("security:listPlugins").result["plugins"]["next"]
    assert shown["state"] == "quarantined"
    assert shown["reason"] == "it requires visado>=9,<10, and this is visado 0.1.0"


def test_two_plugins_that_claim_one_action_or_one_table_of_settings_stop_the_start_naming_both(install, visado):
    action = '''
from visado import *
from visado import hookimpl
class C(Controller):
    name = "zoo"
    @action(get("/zoo"))
    async def look(self, request: Request) -> None:
        """Look."""
@hookimpl
def register_controllers():
    return [C()]
'''
    install("aaa", action)
    install("zzz", action)
    shown = visado("plugins")
    assert shown.returncode == 1
    assert "zoo:look" in shown.stderr
    assert "visado_aaa" in shown.stderr
    assert "visado_zzz" in shown.stderr


def test_a_table_of_settings_that_is_the_hosts_stops_the_start_naming_both(install, visado):
    install(
        "bad",
        "from visado import *\nfrom visado import hookimpl\nclass S(Section):\n    name = 'security'\n@hookimpl\ndef register_settings():\n    return S\n",
    )
    shown = visado("plugins")
    assert shown.returncode == 2
    assert "[security]" in shown.stderr
    assert "visado_bad" in shown.stderr


def test_a_required_plugin_stops_the_start_where_it_is_missing_disabled_or_broken(install, visado):
    install("bad", "import nowhere_to_be_found_canary")
    for config, reason in [
        ("required = ['gone']", "not installed"),
        ("required = ['local']\ndisabled = ['local']", "disabled"),
        ("required = ['bad']", "nowhere_to_be_found_canary"),
    ]:
        shown = visado("plugins", config=f"[plugins]\n{config}\n")
        assert shown.returncode == 1
        assert "plugins.required" in shown.stderr
        assert reason in shown.stderr
        assert "Traceback" not in shown.stderr


def test_without_the_storage_the_start_says_which_url_nobody_opens(visado):
    shown = visado("plugins", config="[storage]\nurl = 'postgresql://x'\n")
    assert shown.returncode == 1
    assert "storage.url" in shown.stderr


def test_without_a_strategy_the_host_starts_and_says_how_to_install_one(tmp_path):
    host = LiveHost(tmp_path, config="[plugins]\ndisabled = ['local']\n").start()
    try:
        assert any("no strategy" in line and "pip install visado-local" in line for line in host.report)
        for answer in (
            host.request("POST", "/_login/local", {"username": "a", "password": "b"}),
            host.request("POST", "/_login", {}),
            host.query("auth:login", strategy="local"),
        ):
            assert (answer.status, answer.error_id) == (400, "security.credentials.unknown_strategy")
        assert (
            host.request("GET", "/_serverInfo").result["serverInfo"]["kuzzle"]["plugins"]["local"]["state"]
            == "disabled"
        )
    finally:
        assert host.stop() == 0


def test_the_start_and_the_api_say_why_a_plugin_is_quarantined(install, tmp_path):
    site = install("bad", "import nowhere_to_be_found_canary")
    site = install("word", GOOD.format(name="word"))
    host = LiveHost(tmp_path, environment={"PYTHONPATH": str(site)}).start()
    try:
        assert any("quarantined bad" in line and "nowhere_to_be_found_canary" in line for line in host.report)
        assert any("active      word (visado-word 1.2.3): strategy word" in line for line in host.report)
        plugins = host.request("GET", "/_serverInfo").result["serverInfo"]["kuzzle"]["plugins"]
        assert "nowhere_to_be_found_canary" in plugins["bad"]["reason"]
        assert host.request("POST", "/_login/word", {}).body["error"]["message"] == "not today"
        health = host.request("GET", "/_healthCheck")
        assert health.body["result"]["services"]["plugins"] == "red"
        assert host.request("GET", "/_healthcheck").status == 200
    finally:
        assert host.stop() == 0


def test_a_strategy_that_cannot_open_is_quarantined_and_the_others_go_on(install, visado, tmp_path):
    install(
        "word",
        GOOD.format(name="word").replace(
            "    async def info", "    async def open(self): raise RuntimeError('canary')\n    async def info"
        ),
    )
    with live.serve(tmp_path, environment={"PYTHONPATH": str(tmp_path / "site")}) as host:
        assert host.query("auth:getStrategies").result == ["local"]
        plugins = host.query("server:info").result["serverInfo"]["kuzzle"]["plugins"]
        assert (plugins["word"]["state"], plugins["local"]["state"]) == ("quarantined", "active")
        assert "word" in plugins["word"]["reason"]
        assert "canary" not in str(plugins)
        assert host.query("server:healthCheck").body["result"]["services"]["plugins"] == "red"
        assert any("quarantined" in line and "word" in line for line in host.report)
    shown = visado("serve", "--port", "0", config='[plugins]\nrequired = ["word"]\n')
    assert shown.returncode == 1
    assert shown.stderr.splitlines()[-1].startswith("visado: plugins.required: the plugin 'word' is quarantined")


@pytest.mark.parametrize(
    ("says", "shown"),
    [
        ("return 'the card reader is away'", "the card reader is away"),
        ("raise OSError('canary')", "problem() failed"),
    ],
)
def test_what_cannot_work_at_present_is_told_wherever_somebody_looks(install, visado, tmp_path, says, shown):
    install(
        "word",
        GOOD.format(name="word").replace("    async def info", f"    def problem(self): {says}\n    async def info"),
    )
    listed = visado("plugins")
    assert f"not ready: strategy word: {shown}" in listed.stdout.splitlines()
    with live.serve(tmp_path, environment={"PYTHONPATH": str(tmp_path / "site")}) as host:
        assert f"  not ready   strategy word: {shown}" in host.report
        assert host.query("server:info").result["serverInfo"]["kuzzle"]["strategies"]["word"] == shown
        assert host.query("security:getStrategy", strategy="word").result["problem"] == shown
    assert "canary" not in listed.stdout


def test_a_plugin_brings_commands_under_its_own_name(install, visado):
    install(
        "word",
        GOOD.format(name="word")
        + "\n@hookimpl\ndef register_commands(commands):\n    commands.add_parser('word:say', help='say it').set_defaults(run=lambda arguments, settings: print('said') or 3)\n",
    )
    shown = visado("word:say")
    assert (shown.returncode, shown.stdout) == (3, "said\n"), shown.stderr
    install("bad", "import nowhere_to_be_found_canary")
    shown = visado("bad:say")
    assert shown.returncode == 1
    assert "nowhere_to_be_found_canary" in shown.stderr
    assert "Traceback" not in shown.stderr


def module_with(function, **marks):
    """A module of a plugin that implements one hook."""
    module = types.ModuleType("throwaway")
    setattr(module, function.__name__, hookimpl(**marks)(function))
    return module


def test_a_plugin_may_implement_a_hook_that_only_a_later_host_has():
    def register_something_later():
        return []

    hooks = Hooks()
    hooks.register(module_with(register_something_later, optionalhook=True))
    hooks.check_pending()


def test_a_function_may_implement_a_hook_under_another_name():
    def my_strategies():
        return ["strategy"]

    hooks = Hooks()
    hooks.register(module_with(my_strategies, specname="register_strategies"))
    hooks.check_pending()
    assert hooks.hook.register_strategies(settings=None, host=None) == [["strategy"]]


@pytest.mark.parametrize("mark", MARKS_WITHOUT_EFFECT)
def test_a_mark_without_effect_is_refused_with_what_to_do(mark):
    def register_strategies():
        yield []

    hooks = Hooks()
    with pytest.raises(TypeError, match=f"^register_strategies is marked {mark}=True, .*Remove the mark"):
        hooks.register(module_with(register_strategies, **{mark: True}), name="marked")
    assert not hooks.has_plugin("marked")
