"""The documents are right: their commands work, their links have targets, the reference is complete."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from documents import DOCUMENTS, FENCE, ROOT, Reader, blocks

import visado
from visado import app, errors, events, hookspecs

ORDER = [
    "register_settings",
    "open_storage",
    "register_strategies",
    "register_strategy_kinds",
    "register_login_checks",
    "register_token_verifiers",
    "register_observers",
    "register_controllers",
    "register_routes",
    "register_middleware",
    "register_commands",
]
GUIDES = [each for each in DOCUMENTS if any({"run", "serve", "application"} & {*block.words} for block in blocks(each))]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
TITLE = re.compile(r"^#+ (.+)$", re.MULTILINE)


@pytest.fixture
def reader(tmp_path):
    reader = Reader(tmp_path)
    yield reader
    reader.stop()


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    return app.create_app({"server": {"data": str(tmp_path_factory.mktemp("data"))}})


def named(document):
    return str(document.relative_to(ROOT))


def text_of(name):
    return (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")


def prose_of(document):
    """Return the text of a document without its fenced blocks."""
    return FENCE.sub("", document.read_text(encoding="utf-8"))


def anchors_of(document):
    """Return the anchors that GitHub makes of the titles."""
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in TITLE.findall(prose_of(document))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def is_of_visado(module):
    return module.partition(".")[0].startswith("visado") and "test" not in module


# Blocks


@pytest.mark.timeout(300)
@pytest.mark.parametrize("document", GUIDES, ids=named)
def test_the_blocks_of_a_document_work_in_order(document, reader):
    reader.follow(document)


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_blocks_are_well_formed(document):
    readers = {
        "json": json.loads,
        "toml": tomllib.loads,
        "python": lambda text: compile(text, named(document), "exec"),
        "sh": lambda text: subprocess.run(["bash", "-n"], input=text, text=True, check=True),
    }
    for block in blocks(document):
        if block.language in readers:
            where = f"{named(document)}:{block.line}"
            assert block.words, f"{where}: the block needs a word that says how to test it, or `check`"
            if "check" in block.words or (block.language != "sh" and "signature" not in block.words):
                readers[block.language](block.text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_settings_in_the_manual_exist(document, host):
    sections = {section.name: section for section in host.settings.classes()}
    for block in blocks(document):
        if block.language == "toml" and "check" in block.words:
            for name, table in tomllib.loads(block.text).items():
                sections[name].model_validate(table)


# Links


@pytest.mark.parametrize("document", [*DOCUMENTS, *sorted(ROOT.glob("plugins/*/README.md"))], ids=named)
def test_links_have_targets(document):
    for target in LINK.findall(prose_of(document)):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        found = (document.parent / path).resolve() if path else document
        assert found.exists(), target
        assert found.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors_of(found), target


def test_every_document_can_be_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        reached.add(document)
        for target in LINK.findall(prose_of(document)):
            path = (document.parent / target.partition("#")[0]).resolve()
            if path.suffix == ".md" and path.is_file() and path not in reached:
                waiting.append(path)
    assert {*DOCUMENTS} <= reached


# The generated reference


def test_the_reference_is_fresh():
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_stale_reference_is_found_and_written(tmp_path):
    script = f"import sys; sys.path.insert(0, {str(ROOT / 'docs')!r}); import generate, pathlib"
    script += f"; generate.PAGES = pathlib.Path({str(tmp_path)!r}); sys.exit(generate.main())"

    def generate(*arguments):
        return subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)

    assert generate("--check").returncode == 1
    assert generate().returncode == 0
    assert (tmp_path / "errors.md").read_text() == text_of("errors.md")
    (tmp_path / "errors.md").write_text("something else")
    done = generate("--check")
    assert (done.returncode, done.stderr) == (1, "out of date: errors.md. Run: python docs/generate.py\n")


def test_every_action_is_in_the_reference(host):
    written = text_of("actions.md")
    for each in host.table:
        assert f"### {each.id}\n" in written
        for route in each.routes:
            assert f"`{route.verb} {route.path}`" in written


def test_every_error_is_in_the_reference():
    written = text_of("errors.md")
    for each in errors.CATALOGUE.values():
        if is_of_visado(each.__module__):
            assert f"| `{each.id}` | {each.status} |" in written


def test_every_event_is_in_the_reference_once():
    written = text_of("events.md")
    for each in vars(events).values():
        if inspect.isclass(each) and issubclass(each, events.Event) and "name" in vars(each):
            kinds = [f"{each.name}.{change}" for change in get_args(events.Change)]
            for kind in kinds if issubclass(each, events.Changed) else [each.name]:
                assert written.count(f"`{kind}`") == 1, kind


def test_every_setting_is_in_the_reference(host):
    written = text_of("settings.md")
    for section in host.settings.classes():
        assert f"## `[{section.name}]`" in written
        for key in section.model_fields:
            assert f"| `{key}` |" in written or f"`[{section.name}.{key}]`" in written


HOOKS = [name for name, each in vars(hookspecs).items() if hasattr(each, "visado_spec")]


def signature_of(name, document):
    found = [block.text for block in blocks(document) if "signature" in block.words]
    return next(text for text in found if text.startswith(f"def {name}("))


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_page_with_its_true_signature_and_an_example_that_runs(name):
    page = ROOT / "docs" / "hooks" / f"{name}.md"
    assert signature_of(name, page) == signature_of(name, ROOT / "docs" / "reference" / "hooks.md")
    for title in ("When it runs", "What it may return", "Example"):
        assert f"\n## {title}\n" in page.read_text(encoding="utf-8")
    code = [block for block in blocks(page) if block.named("plugin=") or block.named("same=")]
    assert any(f"@hookimpl\ndef {name}(" in block.text for block in code)
    assert page in GUIDES


def test_the_index_of_hooks_lists_them_in_the_order_in_which_they_run():
    index = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \[(\w+)\]\(hooks/\w+\.md\)", index, re.MULTILINE) == ORDER
    assert sorted(ORDER) == sorted(HOOKS)


def test_hooks_run_in_the_order_of_the_index(reader):
    answers = {"register_settings": "Section"} | dict.fromkeys(ORDER[2:], "[]")
    source = "from visado import Section, hookimpl\nSection = type('Section', (Section,), {'name': 'tale'})\n"
    for name in HOOKS:
        source += f"@hookimpl\ndef {name}():\n    print({name!r})\n    return {answers.get(name)}\n"
    reader.install("tale", source)
    called = reader.bash("visado plugins | grep -E '^(register|open)_'").stdout.split()
    assert called == ORDER


def test_every_public_name_is_in_the_manual():
    manual = "\n".join(each.read_text(encoding="utf-8") for each in DOCUMENTS)
    missing = [name for name in visado.__all__ if not re.search(rf"\b{name}\b", manual)]
    assert missing == []


def test_every_error_that_a_document_names_exists():
    known = "|".join(sorted({name.partition(".")[0] for name in errors.CATALOGUE}))
    mentioned = re.compile(rf"`((?:{known})\.[a-z_]+\.[a-z_]+)`")
    for document in DOCUMENTS:
        for name in mentioned.findall(prose_of(document)):
            assert name in errors.CATALOGUE or f"`{name}`" in text_of("events.md"), f"{named(document)}: {name}"


def test_every_action_that_a_document_names_exists(host):
    known = {each.id for each in host.table} | {*re.findall(r"## visado (\w+:\w+)", text_of("commands.md"))}
    controllers = "|".join(sorted({each.controller for each in host.table if "/" not in each.controller}))
    mentioned = re.compile(rf"`({controllers}):(\w+)\b")
    for document in DOCUMENTS:
        for controller, action in mentioned.findall(prose_of(document)):
            assert f"{controller}:{action}" in known, named(document)
