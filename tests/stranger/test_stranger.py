"""Plugins that were written from the manual alone: they are built, installed beside core, kit and local, used and removed.

They import public names only. The wheels are installed into a new environment without the sources of visado; the packages
of other projects are linked from this environment instead of downloaded.
"""

from __future__ import annotations

import ast
import base64
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import bcrypt
import pytest

from visado_kit.live import LiveHost

ROOT = Path(__file__).parents[2]
STRANGERS = sorted(Path(__file__).parent.glob("visado-*"))
NAMES = [each.name.removeprefix("visado-") for each in STRANGERS]
LINES = {
    "guest": ("strategy.py", 20),
    "magic": ("strategy.py", 40),
    "basic": ("__init__.py", 25),
    "saml": ("strategy.py", 60),
    "jwt": ("verifier.py", 45),
    "realm": ("strategy.py", 20),
}
"""The module of the strategy or of the token verifier, and how many lines of code it may have."""
PUBLIC = {
    "visado",
    "visado.errors",
    "visado.events",
    "visado.search",
    "visado.storage",
    "visado.storage.query",
    "visado_kit",
    "visado_kit.fixtures",
}
LOGIN = "/_login/htpasswd"
RIGHT = {"username": "ada", "password": "correct horse"}
WRONG = [{**RIGHT, "password": "battery staple"}, {**RIGHT, "username": "nobody"}]


class Environment:
    """A new environment with every package of this one except those of visado; the wheels are added."""

    def __init__(self, folder):
        self.folder = folder
        self.python = folder / "fresh" / "bin" / "python"
        others = folder / "others"
        others.mkdir()
        for each in Path(sysconfig.get_path("purelib")).iterdir():
            if each.suffix != ".pth" and not each.name.startswith(("visado", "_visado", "pip")):
                (others / each.name).symlink_to(each)
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("VISADO_", "PIP_", "PYTEST_"))
        }
        own = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        self.variables = {**kept, **own, "PYTHONPATH": str(others)}

    def run(self, *words):
        done = subprocess.run(
            [str(each) for each in words],
            cwd=self.folder,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def visado(self, *words):
        return self.run(self.python.with_name("visado"), *words)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    made = Environment(tmp_path_factory.mktemp("stranger"))
    projects = [
        ROOT / "core",
        ROOT / "plugins" / "kit",
        ROOT / "plugins" / "local",
        *(shutil.copytree(each, made.folder / "sources" / each.name) for each in STRANGERS),
    ]
    wheels = made.folder / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    made.run(*build, "--wheel-dir", wheels, *projects)
    made.run(sys.executable, "-m", "venv", made.folder / "fresh")
    made.run(made.python, "-m", "pip", "install", "--quiet", *sorted(wheels.iterdir()))
    return made


@pytest.fixture
def host(environment, tmp_path, monkeypatch):
    """`visado serve` of that environment, with a file that holds ada."""
    hashed = bcrypt.hashpw(RIGHT["password"].encode(), bcrypt.gensalt(6)).decode()
    (tmp_path / "users").write_text(f"ada:{hashed}\nbob:{{SHA}}VBPuJHI7uixaa6LQGWx4s+5GKNE=\n")
    monkeypatch.setattr(sys, "executable", str(environment.python))  # `LiveHost` starts this one
    host = LiveHost(tmp_path, config=f'[htpasswd]\nfile = "{tmp_path / "users"}"\n', environment=environment.variables)
    yield host.start()
    host.stop()


def imported(file):
    """Return the modules that a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def lines_of_code(file):
    """Count lines without those that are blank, comments, imports or docstrings."""
    text = file.read_text()
    skipped = set()
    for node in ast.walk(ast.parse(text)):
        spans = [node] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            spans = node.body[:1]
        for span in spans:
            skipped.update(range(span.lineno, span.end_lineno + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in skipped for number, line in lines
    )


def basic(username, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


def login(client, body):
    return client.query("auth:login", strategy="htpasswd", body=body)


def who(host, answer):
    assert answer.status == 200, answer.body
    return host.request("GET", "/_me", token=answer.result["jwt"]).result["_id"]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_typed_and_imports_public_names_only(environment, name):
    pyright = [sys.executable, "-m", "pyright", "--warnings", "--pythonpath", environment.python]
    shown = environment.run(*pyright, "--project", environment.folder / "sources" / f"visado-{name}")
    assert "0 errors, 0 warnings" in shown
    for file in (Path(__file__).parent / f"visado-{name}").rglob("*.py"):
        assert {each for each in imported(file) if re.match(r"visado(_kit)?\b", each)} <= PUBLIC, file


@pytest.mark.parametrize("name", LINES)
def test_it_is_short(name):
    module, limit = LINES[name]
    file = Path(__file__).with_name(f"visado-{name}") / f"visado_{name}" / module
    assert lines_of_code(file) <= limit


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_its_own_tests_pass(environment, name):
    alone = environment.folder / f"alone-{name}"  # without the package's sources: the tests import the wheel
    plugin = Path(__file__).with_name(f"visado-{name}")
    shutil.copytree(plugin / "tests", alone / "tests")
    shutil.copy(plugin / "pyproject.toml", alone)
    pytest_alone = [environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", alone]
    shown = environment.run(*pytest_alone, alone)
    assert re.search(r"^\d\d+ passed", shown, re.MULTILINE), shown


def test_it_serves_until_it_is_removed(environment, host):
    assert "htpasswd  visado-htpasswd 0.1.0  active\n" in environment.visado("plugins")
    shown = host.query("server:info").result["serverInfo"]["kuzzle"]
    assert shown["plugins"]["htpasswd"]["package"] == "visado-htpasswd"
    assert "line 2 (bob): not bcrypt" in shown["strategies"]["htpasswd"]

    body = {"content": {"profileIds": ["default"]}, "credentials": {"htpasswd": {"username": "ada"}}}
    assert host.query("security:createUser", _id="lovelace", body=body).status == 200
    assert who(host, host.request("POST", LOGIN, headers=basic(**RIGHT))) == "lovelace"
    assert who(host, host.request("POST", LOGIN, RIGHT)) == "lovelace"
    with host.socket() as socket:
        assert who(host, login(socket, RIGHT)) == "lovelace"
    for wrong in WRONG:
        with host.socket() as socket:
            answers = [host.request("POST", LOGIN, headers=basic(**wrong)), login(host, wrong), login(socket, wrong)]
        assert {(answer.status, answer.error_id) for answer in answers} == {(401, "plugin.strategy.missing_user")}

    host.stop()
    environment.run(environment.python, "-m", "pip", "uninstall", "--quiet", "--yes", "visado-htpasswd")
    with pytest.raises(RuntimeError, match="htpasswd: Extra inputs are not permitted"):
        host.start()
    (host.folder / "visado.toml").write_text("")
    host.start()
    assert "htpasswd" not in environment.visado("plugins")
    answer = host.request("POST", LOGIN, RIGHT)
    assert (answer.status, answer.error_id) == (400, "security.credentials.unknown_strategy")
    assert host.query("security:getUser", _id="lovelace").status == 200
