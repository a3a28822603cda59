from __future__ import annotations

import argparse
import os
import subprocess
import sys

import pytest

from visado.settings import loading
from visado_ldap import diagnosis
from visado_ldap.settings import LdapSection

from . import faulty_servers, slapd
from .conftest import settings_of
from .slapd import GROUPS, password_of


@pytest.fixture
def checked(capsys, monkeypatch):
    """Run the command on a directory with these settings; `(exit code, output)`."""

    def run(directory_settings, *, name=None, username=None, password=""):
        loaded = loading.load([LdapSection], given={"ldap": {"directories": {"corp": directory_settings}}})
        monkeypatch.setattr(diagnosis.getpass, "getpass", lambda prompt: password)
        code = diagnosis.run(argparse.Namespace(name=name, username=username), loaded)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def test_every_step_passes(checked, directory):
    groups = {"group_profiles": {f"cn=all,{GROUPS}": ["admin"]}, "nested_groups": True}
    code, said = checked(settings_of(directory, secure=True, **groups), username="user0", password=password_of(0))
    assert code == 0
    for line in (
        "127.0.0.1 is 127.0.0.1",
        "TLSv1.3, and the certificate is valid",
        slapd.SERVICE,
        "stable id",
        "cn=staff,ou=groups",
        "admin",
        "the password is right",
    ):
        assert line in said
    for secret in (password_of(0), slapd.SERVICE_PASSWORD):
        assert secret not in said
    code, said = checked(settings_of(directory))
    assert (code, "passwords are sent in the clear" in said, "can be read" in said) == (0, True, True)


@pytest.mark.parametrize(
    ("others", "username", "password", "words"),
    [
        (
            {"url": "ldap://nowhere.invalid", "allow_plaintext": True},
            None,
            "",
            ["resolve", "check url and DNS"],
        ),
        ({"url": "ldap://127.0.0.1:1"}, None, "", ["connect", "Connection refused", "check host, port"]),
        (
            {"bind_password": "wrong-canary"},
            None,
            "",
            ["bind", "invalidCredentials", "check bind_dn and bind_password"],
        ),
        ({"search_base": "dc=nowhere"}, None, "", ["search", "dc=nowhere does not exist"]),
        ({}, "nobody", "", ["search", "no entry matches"]),
        ({}, "twin", "", ["search", "several entries match"]),
        ({"id_attribute": "noSuchAttribute"}, "user1", "", ["search", "shows no noSuchAttribute"]),
        ({}, "user1", "wrong-canary", ["user bind", "invalidCredentials"]),
        ({"ca_file": None}, None, "", ["TLS", "certificate is refused", "check ca_file"]),
    ],
)
def test_a_failed_step_is_explained(checked, directory, others, username, password, words):
    given = {**settings_of(directory, secure="ca_file" in others), **others}
    code, said = checked(given, username=username, password=password)
    failed = next(line for line in said.splitlines() if "FAILED" in line)
    assert code == 1
    assert all(word in failed for word in words), failed
    assert "canary" not in said


def test_faulty_servers(checked, tls):
    for kind, step, words in (
        (faulty_servers.Silent, "bind", "accepted the connection but does not respond"),
        (faulty_servers.Garbled, "bind", ""),
        (faulty_servers.Closing, "bind", ""),
        (faulty_servers.RefusingTls, "STARTTLS", "refuses TLS"),
        (faulty_servers.BlackHole, "connect", "no response in time"),
    ):
        with kind() as server:
            given = {
                "url": server.url,
                "bind_dn": "cn=a",
                "bind_password": "x",
                "search_base": "dc=a",
                "timeout": 0.5,
                "connect_timeout": 0.5,
                "start_tls": kind is faulty_servers.RefusingTls,
            }
            code, said = checked(given)
        failed = next(line for line in said.splitlines() if "FAILED" in line)
        assert (code, step in failed, words in failed) == (1, True, True), failed


def test_every_server_is_tested(checked, directory):
    given = settings_of(directory) | {"url": ["ldap://127.0.0.1:1", directory.url]}
    code, said = checked(given)
    assert (code, said.count("FAILED"), said.count("can be read")) == (1, 1, 1)


def test_wrong_arguments_exit_with_2(checked, directory):
    assert checked(settings_of(directory), name="other")[0] == 2
    assert checked(settings_of(directory), name="corp")[0] == 0
    assert checked(settings_of(directory), username="\0")[0] == 2


def test_the_command_runs_as_a_process(directory, tmp_path):
    config = tmp_path / "visado.toml"
    lines = [f"{name} = {value!r}" for name, value in settings_of(directory, secure=True).items()]
    config.write_text("\n".join(["[ldap.directories.ldap]", *lines]))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "visado",
            "ldap:check",
            "ldap",
            "--config",
            str(config),
            "--data",
            str(tmp_path / "data"),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ},
        timeout=60,
    )
    assert (done.returncode, "the certificate is valid" in done.stdout) == (0, True), done.stdout + done.stderr
