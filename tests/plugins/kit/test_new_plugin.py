"""`visado new-plugin`: its packages pass their own checks, and a refused command writes nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from visado import cli
from visado_kit import commands, new_plugin

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
LONGEST = "the-longest-name-of-them-all-00x"
NAMES = {
    "strategy": "badge",
    "identity": "forum-id",
    "token-verifier": "issuer",
    "storage": "lite",
    "observer": "watch-dog",
    "login-check": "x",
    "pages": LONGEST,
}
KINDS = list(NAMES)


def package(kind):
    return f"visado_{NAMES[kind].replace('-', '_')}"


def run(*words, cwd, seconds=110, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VISADO_")}
    own = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTEST_DEBUG_TEMPROOT": str(Path(cwd).parent)}
    done = subprocess.run(
        [str(each) for each in words],
        cwd=cwd,
        env={**clean, **own, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a package of each kind."""
    folder = tmp_path_factory.mktemp("made")
    for kind, name in NAMES.items():
        assert cli.main(["new-plugin", name, f"--{kind}", "--into", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def projects(made):
    return {kind: made / f"visado-{name}" for kind, name in NAMES.items()}


@pytest.fixture(scope="module")
def site(made, projects):
    """A folder with all packages installed from wheels that `pip wheel` built."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    run(*command, "--wheel-dir", made / "wheels", *projects.values(), cwd=made)
    wheels = list((made / "wheels").iterdir())
    assert len(wheels) == len(KINDS)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(made / "site")
    return made / "site"


@pytest.mark.timeout(500)  # a whole suite of the kit
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "observer"])
def test_its_own_tests_pass(projects, site, kind):
    shown = run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=projects[kind], PYTHONPATH=str(site)
    )
    assert re.search(r"^\d+ passed", shown, re.MULTILINE), shown
    assert "xfail" not in shown


def test_ruff_finds_nothing(projects):
    for project in projects.values():
        run("ruff", "check", "--no-cache", ".", cwd=project)
        run("ruff", "format", "--no-cache", "--check", ".", cwd=project)


@pytest.mark.parametrize("name", ["y", LONGEST])
def test_ruff_finds_nothing_with_a_short_and_a_long_name(tmp_path, name):
    for kind in KINDS:
        (tmp_path / kind).mkdir()
        assert cli.main(["new-plugin", name, f"--{kind}", "--into", str(tmp_path / kind)]) == 0
    run("ruff", "check", "--no-cache", ".", cwd=tmp_path)
    run("ruff", "format", "--no-cache", "--check", ".", cwd=tmp_path)


def test_pyright_and_mypy_find_nothing_strict_as_they_are(projects, site):
    for project in projects.values():
        tools = tomllib.loads((project / "pyproject.toml").read_text())["tool"]
        assert tools["pyright"]["typeCheckingMode"] == "strict"
        assert tools["mypy"]["strict"] is True
    packages = [package(kind) for kind in KINDS]
    settings = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "include": packages}
    (site / "pyrightconfig.json").write_text(json.dumps(settings))
    assert "0 errors, 0 warnings" in run("pyright", "--warnings", "--pythonpath", sys.executable, cwd=site)
    run("mypy", "--strict", "--cache-dir", site / "mypy", "--python-executable", sys.executable, *packages, cwd=site)


def test_its_check_script_passes(projects, site):
    """The script of one package, with its tests."""
    shown = run(projects["observer"] / "check", "-p", "no:cacheprovider", cwd=site, PYTHONPATH=str(site))
    assert re.search(r"\d+ passed", shown)
    assert list((projects["observer"] / "dist").glob("visado_watch_dog-*.whl"))


def test_a_host_finds_all_of_them(tmp_path, site):
    shown = run("visado", "plugins", cwd=tmp_path, PYTHONPATH=str(site))
    for kind, name in NAMES.items():
        assert re.search(rf"^{name}  visado-{name} 0\.1\.0  active$", shown, re.MULTILINE), kind
    assert "strategy badge" in shown


def test_the_package_is_complete(projects):
    for kind, project in projects.items():
        name = NAMES[kind]
        manifest = tomllib.loads((project / "pyproject.toml").read_text())
        assert manifest["project"]["name"] == f"visado-{name}"
        assert manifest["project"]["entry-points"]["visado"] == {name: package(kind)}
        files = {str(each.relative_to(project)) for each in project.rglob("*") if each.is_file()}
        assert files >= {"README.md", "CHANGELOG.md", "LICENSE", ".gitignore", f"{package(kind)}/py.typed"}
        assert os.access(project / "check", os.X_OK)
        assert not [each for each in files if "copier" in each or each.endswith(".jinja")]
        for file in files - {".github/workflows/ci.yml"}:
            if "cache" not in file and not file.endswith((".pyc", ".whl")):
                text = (project / file).read_text()
                assert not re.search(r"\{\{|\{%", text), file
                assert text.endswith("\n") or not text


def test_the_workflow_pins_actions_and_requests_no_permissions(projects):
    workflow = (projects["strategy"] / ".github" / "workflows" / "ci.yml").read_text()
    uses = re.findall(r"uses: (\S+)", workflow)
    assert len(uses) == 2
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", each) for each in uses)
    assert "permissions:\n  contents: read" in workflow
    assert "${{ matrix.python }}" in workflow


def test_it_prints_the_files_and_the_next_steps(tmp_path, capsys):
    assert cli.main(["new-plugin", "badge", "--into", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    target = tmp_path / "visado-badge"
    assert shown.startswith(f"{target}: a plugin of the kind strategy\n")
    listed = {line.strip() for line in shown.splitlines()[1:]}
    assert {str(each.relative_to(target)) for each in target.rglob("*") if each.is_file()} <= listed
    assert f"    cd {target}\n" in shown
    assert [each.name for each in tmp_path.iterdir()] == ["visado-badge"], "nothing else was written"


def test_an_empty_folder_is_used_and_the_license_can_be_chosen(tmp_path):
    (tmp_path / "visado-badge").mkdir()
    assert cli.main(["new-plugin", "badge", "--license", "MIT", "--into", str(tmp_path)]) == 0
    text = (tmp_path / "visado-badge" / "LICENSE").read_text()
    assert re.match(r"MIT License\n\nCopyright \(c\) 20\d\d the authors of visado-badge\n", text)
    assert 'license = "MIT"' in (tmp_path / "visado-badge" / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Badge", "lower-case"), ("two_words", "lower-case"), ("two words", "lower-case"), ("x-", "lower-case"), ("x--y", "lower-case"), ("1x", "lower-case"),
        ("\u00e9", "lower-case"), ("", "lower-case"), ("../x", "lower-case"), ("x\n", "lower-case"), ("\x1b[2J", "lower-case"), ("{{x}}", "lower-case"), ("x" * 33, "32"),
        ("class", "keyword"), ("local", "installed"), ("tinydb", "installed"), ("visado-badge", "say 'badge'"), ("server", "table"), ("chain", "table"),
    ],
)  # fmt: skip
def test_a_bad_name_is_refused_and_nothing_is_written(tmp_path, capsys, name, says):
    assert cli.main(["new-plugin", name, "--into", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert len(shown.err.splitlines()) == 1
    assert shown.err.strip().isprintable()
    assert shown.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["-x"], [], ["badge", "--pages", "--storage"], ["badge", "--license", "none"]])
def test_wrong_arguments_are_refused(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["new-plugin", *words])
    assert stopped.value.code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["a full folder", "a file", "a link to nowhere", "no folder to make it in"])
def test_a_folder_in_use_is_refused_and_not_changed(tmp_path, capsys, what):
    into, target = tmp_path / "into", tmp_path / "into" / "visado-badge"
    if what != "no folder to make it in":
        into.mkdir()
    if what == "a full folder":
        target.mkdir()
        (target / "mine").write_text("mine")
    if what == "a file":
        target.write_text("mine")
    if what == "a link to nowhere":
        target.symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["new-plugin", "badge", "--into", str(into)]) == 2
    assert str(into) in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no folder to which even root cannot write")
def test_a_folder_that_cannot_be_written_is_reported_in_a_line(capsys):
    assert cli.main(["new-plugin", "badge", "--into", "/proc/self"]) == 1
    shown = capsys.readouterr()
    assert re.fullmatch(r"visado new-plugin: /proc/self: [\w ]+\n", shown.err)
    assert shown.out == ""


def test_without_copier_it_says_how_to_get_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "copier", None)
    assert cli.main(["new-plugin", "badge", "--into", str(tmp_path)]) == 2
    assert "pip install visado-kit" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_failure_half_way_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(new_plugin, "_TEMPLATE", tmp_path / "gone")
    with pytest.raises(ValueError, match="template"):
        cli.main(["new-plugin", "badge", "--into", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def test_it_needs_neither_git_nor_a_terminal_nor_the_callers_settings_of_copier(tmp_path):
    (tmp_path / "copier.yml").write_text("defaults: [canary")
    settings = {"COPIER_SETTINGS_PATH": str(tmp_path / "copier.yml"), "HOME": str(tmp_path / "nowhere"), "PATH": ""}
    run(sys.executable, "-m", "visado", "new-plugin", "badge", "--observer", cwd=tmp_path, **settings)
    assert (tmp_path / "visado-badge" / "visado_badge" / "observer.py").is_file()


@pytest.mark.parametrize(
    ("release", "bounds"),
    [("0.1.0", ">=0.1,<0.2"), ("0.9.3rc1", ">=0.9,<0.10"), ("1.4.2", ">=1.4,<2"), ("12.0", ">=12.0,<13")],
)
def test_it_requires_hosts_with_the_same_public_names(release, bounds):
    assert new_plugin._bounds(release) == bounds


@pytest.mark.parametrize("words", [["--help"], ["new-plugin", "--help"]])
def test_help_imports_neither_copier_nor_pytest(tmp_path, words):
    code = f"""if True:
        import sys
        from visado import cli
        try:
            cli.main({words})
        except SystemExit:
            sys.exit(bool({{"copier", "jinja2", "pytest", "visado_kit.new_plugin"}} & {{*sys.modules}}))
    """
    run(sys.executable, "-c", code, cwd=tmp_path)


def test_the_kinds_are_those_of_the_command():
    folders = {each.name for each in new_plugin._TEMPLATE.iterdir() if (each / "tests").is_dir()}
    texts = {each.stem for each in (new_plugin._TEMPLATE / "readme").iterdir()}
    assert set(commands.KINDS) == set(new_plugin._SUMMARIES) == folders == texts == set(KINDS)


def test_the_wheels_of_visado_and_of_the_kit_make_plugins(tmp_path):
    pip = [sys.executable, "-m", "pip", "--quiet"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path]
    run(*wheel, ROOT / "core", ROOT / "plugins" / "kit", cwd=tmp_path)
    wheels = [*tmp_path.glob("visado-*.whl"), *tmp_path.glob("visado_kit-*.whl")]
    assert len(wheels) == 2
    run(*pip, "install", "--no-deps", "--target", tmp_path / "site", *wheels, cwd=tmp_path)
    environment = {"PYTHONPATH": str(tmp_path / "site")}
    for kind in ("strategy", "pages"):
        (tmp_path / kind).mkdir()
        words = ["-m", "visado", "new-plugin", "badge", f"--{kind}", "--into", kind]
        run(sys.executable, *words, cwd=tmp_path, **environment)
        assert cli.main(["new-plugin", "badge", f"--{kind}", "--into", str(tmp_path)]) == 0
        assert contents(tmp_path / kind / "visado-badge") == contents(tmp_path / "visado-badge")
        (tmp_path / "visado-badge").rename(tmp_path / f"made-{kind}")


def contents(folder):
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    return [(str(each.relative_to(folder)), each.read_bytes(), each.stat().st_mode) for each in files]
