"""`visado new-plugin`: a package of a plugin, whole and ready to publish."""

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

_FAILED: Final = 1
_USAGE: Final = 2
_TEMPLATE: Final = Path(__file__).parent / "templates" / "plugin"
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST: Final = 32
_KINDS: Final = {
    "strategy": "Log in to visado with a handle and a passphrase.",
    "storage": "Keep visado's documents in SQLite.",
    "observer": "Warn in visado's log of an address whose logins are refused too often.",
    "login-check": "Ask visado's users for a one-time code of their list after they log in.",
    "pages": "A page to log in to visado with a browser.",
}


class _Refused(Exception):
    """There can be no such package; the text says why."""


def run(arguments: argparse.Namespace) -> int:
    """Make the package, and say what to do with it."""
    try:
        target = _target(arguments.name, arguments.into)
        _render(arguments.name, arguments.kind, arguments.license, target)
    except _Refused as refusal:
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
    """The folder of the new package. Raises `_Refused` where the name is taken or none, or the folder is in use."""
    if name.startswith("visado-"):
        raise _Refused(f"{name!r}: visado- is put before the name: say {name.removeprefix('visado-')!r}")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise _Refused(f"{name!r}: a name is lower-case words with dashes between them, {_LONGEST} characters at most")
    if keyword.iskeyword(name):
        raise _Refused(f"{name!r}: this is a keyword of Python")
    if name in entry_points(group="visado").names or importlib.util.find_spec(_package(name)) is not None:
        raise _Refused(f"{name!r}: a plugin of this name is installed")
    if _table(name) in _tables():
        raise _Refused(f"{name!r}: [{_table(name)}] is a table of the host's own settings")
    if not into.is_dir():
        raise _Refused(f"{into}: no such folder")
    target = into / f"visado-{name}"
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise _Refused(f"{target}: already there, and not an empty folder")
    return target


def _render(name: str, kind: str, license_: str, target: Path) -> None:
    """Write the package, or nothing. Raises `_Refused` where the library that does it is missing."""
    try:
        import copier  # noqa: PLC0415 - of the extra `kit`, and slow to import
    except ImportError:
        raise _Refused("copier is missing: pip install 'visado[kit]'") from None
    answers = {
        "name": name,
        "project": f"visado-{name}",
        "package": _package(name),
        "table": _table(name),
        "prefix": "".join(word.capitalize() for word in name.split("-")),
        "kind": kind,
        "summary": _KINDS[kind],
        "license": license_,
        "visado": _bounds(version("visado")),
        "year": datetime.now(UTC).year,
    }
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".visado-") as room:
        made = Path(room) / "made"
        for layer in ("common", kind):
            copier.run_copy(
                str(_TEMPLATE),
                made,
                data=answers | {"layer": layer},
                settings=copier.Settings(),  # not those of whoever calls
                defaults=True,
                overwrite=True,
                quiet=True,
                skip_tasks=True,
            )
        if target.exists():
            target.rmdir()
        made.rename(target)


def _bounds(present: str) -> str:
    """Say which hosts the package works with: until the next version that may change a public name."""
    major, minor, *_ = present.split(".")
    return f">={major}.{minor},<0.{int(minor) + 1}" if major == "0" else f">={major}.{minor},<{int(major) + 1}"


def _package(name: str) -> str:
    return f"visado_{_table(name)}"


def _table(name: str) -> str:
    return name.replace("-", "_")


def _tables() -> set[str]:
    from visado.settings.sections import SECTIONS  # noqa: PLC0415 - slow to import

    return {section.name for section in SECTIONS}
