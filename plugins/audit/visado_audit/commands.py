"""`visado audit:verify` proves the log, `visado audit:show` prints what it says."""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast

from visado import Settings, parse_duration
from visado_audit.chain import Chain
from visado_audit.files import Files, backwards, whole
from visado_audit.settings import AuditSection, path_of
from visado_audit.verify import Break, verify

_WRONG: Final = 1
_SHOWN: Final = ("actor", "target", "strategy", "address", "requestId")
_FIXED: Final = {*_SHOWN, "sequence", "previous", "hash", "event", "at", "outcome"}


def add(commands: Any) -> None:
    """Add the commands."""
    check = commands.add_parser("audit:verify", help="prove that no record of the audit log was touched")
    _add_file(check)
    check.add_argument("--key-file", type=Path, help="the secret that keys the chain (audit.key_file)")
    check.set_defaults(run=run_verify)
    show = commands.add_parser("audit:show", help="print the last records of the audit log, without proving them")
    _add_file(show)
    show.add_argument("--event", metavar="PATTERN", help="of this kind: login.refused, or 'login.*'")
    show.add_argument("--actor", help="of what this user did")
    show.add_argument("--target", help="of what happened to this one")
    show.add_argument("--since", type=_since, metavar="TIME", help="not older: 90s, 1h, '2 days', 2026-11-23T08:00:00Z")
    show.add_argument("-n", "--number", type=int, default=20, help="no more than so many (20)")
    show.add_argument("--json", action="store_true", help="the lines as they are")
    show.set_defaults(run=run_show)


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--file", type=Path, help="the present file of the log, or of a copy of it (audit.path)")


def run_verify(arguments: argparse.Namespace, settings: Settings) -> int:
    """Say that the log is whole, or where it is not."""
    path: Path = arguments.file or path_of(settings)
    key_file: Path | None = arguments.key_file or settings[AuditSection].key_file
    try:
        key = key_file.read_text(encoding="utf-8").strip() if key_file else None
        proof = verify(path, Chain(key))
    except Break as broken:
        return _complain(f"{path.parent}: {broken}")
    except (OSError, ValueError) as error:
        return _complain(str(error))
    count = proof.last - proof.first + 1 if proof.last else 0
    _print(f"{count} records in {proof.files} files, {proof.first} to {proof.last}: none was touched")
    if proof.unfinished:
        _print(f"{path.name} ends with {proof.unfinished} bytes of a line that is being written, or never was finished")
    return 0


def run_show(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the last records that fit, the oldest first."""
    try:
        files = Files(arguments.file or path_of(settings))
        try:
            found = list(islice(_fitting(_lines(files), arguments), max(0, arguments.number)))
        finally:
            files.close()
    except OSError as error:
        return _complain(str(error))
    for line, record in reversed(found):
        _print(line.decode("ascii", "backslashreplace") if arguments.json else _written(record))
    return 0


def _lines(files: Files) -> Iterator[bytes]:
    """Every line, the newest first."""
    for name in reversed([*files.full().values(), files.present]):
        fd = files.open(name, os.O_RDONLY)
        try:
            yield from (line for _, line in backwards(fd, whole(fd)))
        finally:
            os.close(fd)


def _fitting(lines: Iterator[bytes], asked: argparse.Namespace) -> Iterator[tuple[bytes, Mapping[str, Any]]]:
    for line in lines:
        try:
            record: Any = json.loads(line)
            kind, at = str(record["event"]), str(record["at"])
        except (ValueError, TypeError, KeyError):
            continue  # not for this command to judge
        if asked.since is not None and at < asked.since:
            return
        if asked.event is not None and not fnmatch.fnmatchcase(kind, asked.event):
            continue
        if asked.actor in {None, record.get("actor")} and asked.target in {None, record.get("target")}:
            yield line, cast("Mapping[str, Any]", record)


def _written(record: Mapping[str, Any]) -> str:
    """Write a record for people: control characters are escaped, or a user's name could write to the terminal."""
    words = [record["at"], record["event"], record.get("outcome")]
    words += [f"{name}={record[name]}" for name in _SHOWN if record.get(name) is not None]
    words += [f"{name}={value}" for name, value in record.items() if name not in _FIXED]
    return "  ".join(each if each.isprintable() else ascii(each)[1:-1] for each in map(str, words))


def _since(text: str) -> str:
    """Read a time, or how long ago it was; write it as records do."""
    span = parse_duration(text)
    moment = datetime.fromtimestamp(time.time() - span / 1_000, UTC) if span is not None else None
    moment = moment or datetime.fromisoformat(text)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _complain(text: str) -> int:
    sys.stderr.write(f"visado: {text}\n")
    return _WRONG
