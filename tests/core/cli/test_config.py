from __future__ import annotations

import json
import re
import tomllib

import pytest

from .broken import BROKEN
from .commands import run


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
    for name in ("chain", "accounts"):
        assert f"# [{name}.NAME]" in template.splitlines(), "the operator names the tables inside these"
    live = "\n".join(line[2:] if re.match(r"# \w+ = ", line) else line for line in template.splitlines())
    values = tomllib.loads(live)
    assert values["server"]["port"] == 7512
    assert values["security"]["token"]["expires_in"] == 3_600_000
    assert values["security"]["preset"] == "compatible"
    (tmp_path / "visado.toml").write_text(live)
    found = run("config", cwd=tmp_path)
    assert found.returncode == 0, f"the defaults that the template shows are no settings: {found.stderr}"


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
