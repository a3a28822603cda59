from __future__ import annotations

from typing import ClassVar

import pytest

from visado.settings import loading
from visado.settings.loading import Section, SettingsError
from visado.settings.sections import SECTIONS, HttpSection, SecuritySection, ServerSection

from .conftest import Example


def test_given_beats_environment_beats_secret_files_beats_toml_beats_defaults(load, monkeypatch, tmp_path):
    folder = tmp_path / "secrets"
    folder.mkdir()
    toml = "[example]\nurl = 'toml'"
    assert load()[Example].url == "there"
    assert load(toml)[Example].url == "toml"
    (folder / "example__url").write_text("file")
    assert load(toml, secrets=folder)[Example].url == "file"
    monkeypatch.setenv("VISADO_EXAMPLE__URL", "environment")
    assert load(toml, secrets=folder)[Example].url == "environment"
    assert load(toml, secrets=folder, given={"example": {"url": "given"}})[Example].url == "given"
    assert load(toml, secrets=folder)[Example].count == 1


def test_everything_wrong_is_in_one_report_with_its_path_and_without_values(load):
    toml = """
[example]
count = "canary-one"
colour = "canary-two"
[security]
preset = "canary-three"
[security.token]
secrets = ["canary-four"]
[server]
port = 99999
[nonsense]
a = "canary-five"
"""
    with pytest.raises(SettingsError) as caught:
        load(toml)
    report = str(caught.value)
    for path in (
        "example.count",
        "example.colour",
        "security.preset",
        "security.token.secrets",
        "server.port",
        "nonsense",
    ):
        assert f"\n{path}: " in report
    assert "canary" not in report
    assert "99999" not in report


def test_secrets_are_stars(load):
    shown = load("[example]\npassword = 'canary'\n[example.directories.a]\npassword = 'canary'")
    assert "canary" not in repr(shown.public())
    assert "canary" not in repr(shown[Example])
    assert shown.public()["example"]["password"] == "**********"


def test_sections_are_frozen(load):
    with pytest.raises(ValueError, match="frozen"):
        load()[Example].url = "other"


def test_two_sections_of_one_name_are_refused_naming_both(load):
    class Other(Section):
        name: ClassVar[str] = "example"

    with pytest.raises(SettingsError, match=r"\[example\]: declared by .*Example and by .*Other"):
        load(sections=[Example, Other])


@pytest.mark.parametrize(
    "toml", ["[example", "example = 1", "= =", "[example]\nurl = 'a'\nurl = 'b'", "\0", "[example]\nurl = 'un"]
)
def test_a_file_that_is_no_toml_is_named(load, toml):
    with pytest.raises(SettingsError, match=r"visado\.toml|example"):
        load(toml)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"gone\.toml: no such file"):
        loading.load(SECTIONS, config=tmp_path / "gone.toml")


def test_the_environment_reaches_lists_and_nested_tables(load, monkeypatch):
    monkeypatch.setenv("VISADO_SECURITY__TOKEN__EXPIRES_IN", "2h")
    monkeypatch.setenv("VISADO_HTTP__ALLOW_ORIGINS", '["https://a.example"]')
    monkeypatch.setenv("VISADO_SERVER__PORT", "0")
    found = load()
    assert found[SecuritySection].token.expires_in == 7_200_000
    assert found[HttpSection].allow_origins == ["https://a.example"]
    assert found[ServerSection].port == 0


@pytest.mark.parametrize(("name", "value"), [("VISADO_HTTP__ALLOW_ORIGINS", "[canary"), ("VISADO_SERVER", "{canary"), ("VISADO_SERVER__PROT", "canary")])  # fmt: skip
def test_a_wrong_variable_is_named_and_its_value_is_not(load, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load()
    assert any(part in str(caught.value).lower() for part in ("http", "server"))
    assert "canary" not in str(caught.value)
