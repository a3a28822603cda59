"""`visado new-plugin`: write the package of a plugin, complete and ready to publish.

The templates are in `templates/plugin`: `common` for every package, and a folder for each kind of plugin.
"""

from __future__ import annotations

import argparse
import importlib.util
import keyword
import re
import shlex
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Final

from visado_kit.errors import PackageRefused

_FAILED: Final = 1
_USAGE: Final = 2
_TEMPLATE: Final = Path(__file__).parent / "templates" / "plugin"
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_NAME_LENGTH: Final = 32
_SUMMARIES: Final = {
    "strategy": "Log in to visado with a handle and a passphrase.",
    "identity": "Log in to visado with the account of a forum, by DiscourseConnect.",
    "token-verifier": "Accept the JWTs of an issuer on any request to visado.",
    "storage": "Store visado's documents in SQLite.",
    "observer": "Warn in visado's log of an address whose logins are refused too often.",
    "login-check": "Ask visado's users for a one-time code of their list after they log in.",
    "pages": "A page to log in to visado with a browser.",
}
_DEPENDENCIES: Final = {"token-verifier": ("pyjwt[crypto]>=2.10",)}
"""What the package of a kind needs beside visado."""


def run(arguments: argparse.Namespace) -> int:
    """Write the package and print its files and the next steps; return the exit code."""
    try:
        target = _target(arguments.name, arguments.into)
        _render(arguments.name, arguments.kind, arguments.license, target)
    except PackageRefused as refusal:
        print(f"visado new-plugin: {refusal}", file=sys.stderr)
        return _USAGE
    except OSError as error:
        print(f"visado new-plugin: {arguments.into}: {error.strerror or error}", file=sys.stderr)
        return _FAILED
    print(f"{target}: a plugin of the kind {arguments.kind}")
    for file in sorted(each for each in target.rglob("*") if each.is_file()):
        print(f"    {file.relative_to(target)}")
    print(f"""
Next, in an environment of your own:
    cd {shlex.quote(str(target))}
    pip install --upgrade pip
    pip install --editable . --group dev
    ./check
    visado plugins""")
    return 0


def _target(name: str, into: Path) -> Path:
    """Return the folder of the new package. Raises `PackageRefused` for a bad or taken name, and a folder in use."""
    reason = _refusal(name)
    if reason is not None:
        raise PackageRefused(f"{name!r}: {reason}")
    if not into.is_dir():
        raise PackageRefused(f"{into}: no such folder")
    target = into / f"visado-{name}"
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise PackageRefused(f"{target}: already there, and not an empty folder")
    return target


def _refusal(name: str) -> str | None:
    """Return why a plugin cannot have this name, or None."""
    if name.startswith("visado-"):
        return f"visado- is put before the name: say {name.removeprefix('visado-')!r}"
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME_LENGTH:
        return f"a name is lower-case words with dashes between them, {_MAX_NAME_LENGTH} characters at most"
    if keyword.iskeyword(name):
        return "this is a keyword of Python"
    if name in entry_points(group="visado").names or importlib.util.find_spec(_package(name)) is not None:
        return "a plugin of this name is installed"
    if _table(name) in _tables():
        return f"[{_table(name)}] is a table of the host's own settings"
    return None


def _render(name: str, kind: str, license_: str, target: Path) -> None:
    """Write the package completely, or write nothing. Raises `PackageRefused` if copier is not installed."""
    try:
        import copier  # noqa: PLC0415 - slow to import
    except ImportError:
        raise PackageRefused("copier is missing: pip install visado-kit") from None
    answers = {
        "name": name,
        "project": f"visado-{name}",
        "package": _package(name),
        "table": _table(name),
        "prefix": "".join(word.capitalize() for word in name.split("-")),
        "kind": kind,
        "summary": _SUMMARIES[kind],
        "license": license_,
        "visado": _bounds(version("visado")),
        "dependencies": _DEPENDENCIES.get(kind, ()),
        "year": datetime.now(UTC).year,
    }
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".visado-") as folder:
        written = Path(folder) / "written"
        for layer in ("common", kind):
            copier.run_copy(
                str(_TEMPLATE),
                written,
                data=answers | {"layer": layer},
                settings=copier.Settings(),  # not the caller's own settings of copier
                defaults=True,
                overwrite=True,
                quiet=True,
                skip_tasks=True,
            )
        if target.exists():
            target.rmdir()
        written.rename(target)


def _bounds(release: str) -> str:
    """Return the bounds of the requirement on visado: up to the next release that may change a public name."""
    major, minor, *_ = release.split(".")
    return f">={major}.{minor},<0.{int(minor) + 1}" if major == "0" else f">={major}.{minor},<{int(major) + 1}"


def _package(name: str) -> str:
    return f"visado_{_table(name)}"


def _table(name: str) -> str:
    return name.replace("-", "_")


def _tables() -> set[str]:
    from visado.settings.sections import SECTIONS  # noqa: PLC0415 - slow to import

    return {section.name for section in SECTIONS}
