"""CONTRIBUTING.md is right: the paths of its table exist, and its list of layers is the one that is enforced."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from documents import ROOT

MIN_CHANGES = 25
PATH = re.compile(r"`((?:core|plugins|tests|docs|bench)/[\w./-]*)`")
MEMBER = re.compile(r"`((?:core|plugins)/[\w./-]+\.py)` \(`([\w.]+)`")
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def section(title):
    """Return the text of a section up to the next title."""
    return re.split(r"^#+ ", TEXT.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(title):
    """Return the cells of the rows of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


CHANGES = dict(rows("Where does a change go?"))


def test_the_table_answers_enough_changes():
    assert len(CHANGES) >= MIN_CHANGES


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_names_a_place(change):
    assert PATH.search(CHANGES[change]) or "@action" in CHANGES[change], CHANGES[change]


@pytest.mark.parametrize("path", sorted(set(PATH.findall(TEXT))))
def test_every_path_exists(path):
    found = ROOT / path
    assert found.is_dir() if path.endswith("/") else found.exists()


@pytest.mark.parametrize(("path", "name"), sorted(set(MEMBER.findall(TEXT))))
def test_every_name_is_in_its_module(path, name):
    source = (ROOT / path).read_text(encoding="utf-8")
    for part in name.split("."):
        assert re.search(rf"^\s*(?:(?:class|(?:async )?def) )?{part}\b", source, re.MULTILINE), f"{path} has no {name}"


def test_the_layers_are_those_that_are_enforced():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(each for each in settings["tool"]["importlinter"]["contracts"] if each["id"] == "layers")
    enforced = [set(re.findall(r"\w+", layer)) for layer in contract["layers"]]
    listed = [set(re.findall(r"`(\w+)`", modules.partition(": ")[0])) for _, modules in rows("Layers")]
    assert listed == enforced


@pytest.mark.parametrize("readme", sorted(ROOT.glob("plugins/*/README.md")), ids=lambda path: path.parent.name)
def test_the_modules_that_a_plugin_lists_exist(readme):
    package = readme.parent / f"visado_{readme.parent.name}"
    listed = readme.read_text(encoding="utf-8").partition("## Modules\n")[2].partition("\n## ")[0]
    for cells in re.findall(r"^\| (`.*?) \|", listed, re.MULTILINE):
        for name in re.findall(r"`([\w/]+)`", cells):
            assert (package / name).is_dir() or (package / f"{name}.py").is_file(), name
