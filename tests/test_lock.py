"""The lock file holds what the workspace asks for: a dependency that was added without `make lock` fails here."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
MANIFESTS = [
    ROOT / "pyproject.toml",
    *sorted(ROOT.glob("core/pyproject.toml")),
    *sorted(ROOT.glob("plugins/*/pyproject.toml")),
]
OURS = re.compile(r"visado(-\w+)?")


def locked():
    found = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        if name := re.match(r"([A-Za-z0-9._-]+)==([^ ;\\]+)", line):
            found[canonicalize_name(name[1])] = Version(name[2])
    return found


def asked(manifest):
    read = tomllib.loads(manifest.read_text())
    groups = read.get("dependency-groups", {}).values()
    for text in [*read["project"].get("dependencies", []), *(each for group in groups for each in group)]:
        requirement = Requirement(text)
        if not OURS.fullmatch(requirement.name):
            yield requirement


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.parent.name)
def test_the_lock_holds_what_is_asked_for(manifest):
    versions = locked()
    for requirement in asked(manifest):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not locked: make lock"
        assert version in requirement.specifier, f"{requirement} is locked at {version}: make lock"


def test_everything_is_locked_by_hash():
    text = (ROOT / "requirements.lock").read_text()
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in entry, entry


def test_core_asks_for_thirteen_packages_at_the_most():
    assert len(list(asked(ROOT / "core/pyproject.toml"))) <= 13
