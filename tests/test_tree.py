"""The tests mirror the tree: the path of a test file names the module that it guards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import GROUPS, LONGEST

TESTS = Path(__file__).parent
ROOT = TESTS.parent
WHOLE = {"contract", "host", "hostile"}
"""Names of files that guard a whole plugin: the kit's contract, a live host, hostile input."""
EXCEPTIONS = {
    "core/test_shapes.py": "every error, setting, hook and public name",
    "plugins/kit/test_faults.py": "every suite of the kit, with wrong plugins",
    "core/controllers/test_permissions.py": "every action of every controller",
    "plugins/kit/test_factors.py": "two login checks of one factor, in a real login",
    "core/security/logins/test_browsers.py": "the cookies of logins, over steps, replies and the pipeline",
    "core/security/tokens/test_live_verifiers.py": "token verifiers of all kinds in a real host, over both transports",
    "plugins/ldap/test_active_directory.py": "the whole plugin against a domain controller",
    "plugins/local/test_strict.py": "a preset, which is spread over modules",
    "plugins/oauth/test_browser.py": "the whole plugin in a real browser",
    "plugins/totp/test_sdk.py": "the whole plugin with the official client",
}


def files(folder: str) -> list[str]:
    return sorted(path.relative_to(TESTS).as_posix() for path in (TESTS / folder).rglob("test_*.py"))


def guarded(test: str) -> Path:
    """Return the path, without a suffix, of the module or drawer that a test file names."""
    *folders, file = test.split("/")
    name = file.removeprefix("test_").removesuffix(".py")
    if folders[0] == "core":
        return ROOT.joinpath("core", "visado", *folders[1:], name)
    return ROOT.joinpath("plugins", folders[1], f"visado_{folders[1]}", *folders[2:], name)


def mirrors(test: str) -> bool:
    path = guarded(test)
    whole = test.startswith("plugins/") and path.name in WHOLE and path.parent.is_dir()
    return whole or path.is_dir() or path.with_suffix(".py").is_file()


@pytest.mark.parametrize("test", [*files("core"), *files("plugins")])
def test_a_test_file_names_a_module_or_a_drawer(test: str) -> None:
    assert mirrors(test) or test in EXCEPTIONS, f"no module or drawer {guarded(test).relative_to(ROOT)}"


@pytest.mark.parametrize("test", EXCEPTIONS)
def test_an_exception_exists_and_is_one(test: str) -> None:
    assert not mirrors(test), "this one mirrors the tree: take it from the list"


@pytest.mark.parametrize("start", [*GROUPS, *(name for name in LONGEST if name.endswith(".py"))])
def test_a_group_of_tests_exists(start: str) -> None:
    assert list(ROOT.glob(f"{start}*")), "no test file has a path that starts so: see `GROUPS` and `LONGEST`"
