from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.core.throwaway import put
from visado import cli
from visado.cli import added_commands

COMMAND = """
from visado import ServerSection, hookimpl

def without(arguments):
    print("without", sorted(vars(arguments)))
    return 3

def with_settings(arguments, settings):
    print("with", settings[ServerSection].port)
    return 4

@hookimpl
def register_commands(commands):
    commands.add_parser({first!r}, help="first").set_defaults(run=without)
    commands.add_parser({second!r}, help="second").set_defaults(run=with_settings)
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a plugin with two commands, in this process, for one test."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.chdir(tmp_path)

    def install(name, first, second, source=COMMAND):
        sys.modules.pop(f"visado_{name}", None)
        put(site, name, source.format(first=first, second=second))

    return install


@pytest.fixture
def told(capsys, caplog):
    """Return what was written on standard output, and what was written or logged for the operator."""

    def told():
        shown = capsys.readouterr()
        return shown.out, shown.err + caplog.text

    return told


def test_a_command_is_called_with_the_settings_if_it_takes_them(install, told, tmp_path):
    (tmp_path / "visado.toml").write_text("[server]\nport = 4242\n")
    install("cmd", "say", "cmd:port")
    assert cli.main(["cmd:port"]) == 4
    assert told()[0] == "with 4242\n"
    assert cli.main(["say"]) == 3
    assert told()[0] == "without ['run']\n"


def test_a_command_that_takes_no_settings_works_where_they_are_wrong(install, told, tmp_path):
    (tmp_path / "visado.toml").write_text("[server]\nport = 'none'\n")
    install("cmd", "say", "cmd:port")
    assert cli.main(["say"]) == 3
    assert cli.main(["cmd:port"]) == 2
    assert "server.port" in told()[1]
    with pytest.raises(SystemExit) as stopped:
        cli.main(["say", "--config", "visado.toml"])
    assert stopped.value.code == 2


@pytest.mark.parametrize("name", ["serve", "plugins", "config", "admin:create"])
def test_a_command_of_visados_own_is_not_a_plugins_to_take(install, told, name):
    install("cmd", "say", name)
    assert name in cli.parsers()[1]
    with pytest.raises(SystemExit) as stopped:
        cli.main(["say"])
    assert stopped.value.code == 2
    assert f"it adds the command {name!r}, which is one of visado's own" in told()[1]
    assert cli.main(["cmd:anything"]) == 1


def test_the_prefix_of_another_plugin_is_refused(install, told):
    install("cmd", "cmd:say", "ldap:say")
    assert cli.main(["cmd:say"]) == 1
    out, err = told()
    assert out == ""
    assert "'cmd' of visado-cmd" in err
    assert "it adds the command 'ldap:say': a name with a colon begins with 'cmd:'" in err


def test_two_plugins_with_one_command_are_named(install, told):
    install("one", "say", "one:x")
    install("two", "say", "two:x")
    assert cli.main(["say"]) == 1
    assert told() == (
        "",
        "visado: the plugins 'one' and 'two' both add the command 'say': uninstall all but one of them\n",
    )
    assert cli.main(["one:x"]) == 4


@pytest.mark.parametrize("source", ["import nowhere_to_be_found", "raise SystemExit('nowhere_to_be_found')"])
def test_a_broken_plugin_does_not_stop_the_commands_of_another(install, told, source):
    install("bad", "", "", source)
    install("cmd", "say", "cmd:x")
    assert cli.main(["say"]) == 3
    assert cli.main(["bad:say"]) == 1
    assert "nowhere_to_be_found" in told()[1]


def test_an_unknown_command_is_refused_with_those_that_there_are(told):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["sevre"])
    assert stopped.value.code == 2
    assert "invalid choice: 'sevre'" in told()[1]


def test_a_command_of_a_package_that_is_not_installed_names_the_package(told, monkeypatch):
    others = [each for each in added_commands.find_candidates() if each.name != "kit"]
    monkeypatch.setattr(added_commands, "find_candidates", lambda: others)
    assert cli.main(["new-plugin", "badge"]) == 2
    assert told() == (
        "",
        "visado: new-plugin is a command of visado-kit, which is not installed: pip install visado-kit\n",
    )


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["serve", "--help"], ["config", "--help"]])
def test_help_imports_no_plugin(words, tmp_path):
    code = f"""if True:
        import sys
        from visado import cli
        try:
            cli.main({words})
        finally:
            print(sorted(each for each in sys.modules if each.startswith("visado")))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (
        done.stdout.splitlines()[-1]
        == "['visado', 'visado.cli', 'visado.cli.config', 'visado.cli.options', 'visado.cli.plugins', 'visado.cli.serve']"
    ), done.stdout + done.stderr


def test_the_list_of_plugins_names_their_commands(install, tmp_path):
    install("cmd", "say", "cmd:port")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-m", "visado", "plugins"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert "cmd  visado-cmd 1.2.3  active\n    command say\n    command cmd:port\n" in done.stdout
    assert "    command new-plugin\n" in done.stdout
