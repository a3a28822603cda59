"""The commands `visado audit:verify`, which proves the log, and `visado audit:show`, which prints its records."""

from __future__ import annotations

import fnmatch
import json
import os
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast

from visado import Commands, Settings, parse_duration
from visado_audit.chain import HashChain
from visado_audit.files import LogFiles, complete_bytes, read_backwards
from visado_audit.settings import AuditSection, log_path
from visado_audit.verify import VerificationFailed, verify_log

_NAMED_MEMBERS: Final = ("actor", "target", "strategy", "address", "requestId")
_COMMON_MEMBERS: Final = {*_NAMED_MEMBERS, "sequence", "previous", "hash", "event", "at", "outcome"}


def add_commands(commands: Commands) -> None:
    """Add `audit:verify` and `audit:show`."""
    verify = commands.add_parser("audit:verify", help="prove that no record of the audit log was changed")
    _add_file(verify)
    verify.add_argument("--key-file", type=Path, help="file with the key of the chain (audit.key_file)")
    verify.set_defaults(run=run_verify)
    show = commands.add_parser("audit:show", help="print the last records of the audit log, without verification")
    _add_file(show)
    show.add_argument("--event", metavar="PATTERN", help="only this kind of event: login.refused, or 'login.*'")
    show.add_argument("--actor", help="only events by this user")
    show.add_argument("--target", help="only events with this target")
    show.add_argument(
        "--since", type=_since, metavar="TIME", help="only since then: 90s, 1h, '2 days', 2026-11-23T08:00:00Z"
    )
    show.add_argument("-n", "--number", type=int, default=20, help="at most this number of records (20)")
    show.add_argument("--json", action="store_true", help="print the lines as the log holds them")
    show.set_defaults(run=run_show)


def _add_file(parser: ArgumentParser) -> None:
    parser.add_argument("--file", type=Path, help="current file of the log, or of a copy of the log (audit.path)")


def run_verify(arguments: Namespace, settings: Settings) -> int:
    """Print that the log is intact, or where it is not. Return the exit code."""
    path: Path = arguments.file or log_path(settings)
    key_file: Path | None = arguments.key_file or settings[AuditSection].key_file
    try:
        key = key_file.read_text(encoding="utf-8").strip() if key_file else None
        verified = verify_log(path, HashChain(key))
    except VerificationFailed as failed:
        return _fail(f"{path.parent}: {failed}")
    except (OSError, ValueError) as error:
        return _fail(str(error))
    count = verified.last - verified.first + 1 if verified.last else 0
    _print(f"{count} records in {verified.files} files, {verified.first} to {verified.last}: all intact")
    if verified.incomplete_bytes:
        _print(
            f"{path.name} ends with an incomplete line of {verified.incomplete_bytes} bytes: "
            "the host is writing it, or was killed"
        )
    return 0


def run_show(arguments: Namespace, settings: Settings) -> int:
    """Print the last matching records, the oldest first. Return the exit code."""
    try:
        files = LogFiles(arguments.file or log_path(settings))
        try:
            records = list(islice(_matching(_all_lines(files), arguments), max(0, arguments.number)))
        finally:
            files.close()
    except OSError as error:
        return _fail(str(error))
    for line, record in reversed(records):
        _print(line.decode("ascii", "backslashreplace") if arguments.json else _as_text(record))
    return 0


def _all_lines(files: LogFiles) -> Iterator[bytes]:
    """Yield every line of the log, the newest first."""
    for name in reversed([*files.full().values(), files.current]):
        fd = files.open(name, os.O_RDONLY)
        try:
            yield from (line for _, line in read_backwards(fd, complete_bytes(fd)))
        finally:
            os.close(fd)


def _matching(lines: Iterator[bytes], arguments: Namespace) -> Iterator[tuple[bytes, Mapping[str, Any]]]:
    for line in lines:
        try:
            record: Any = json.loads(line)
            kind, at = str(record["event"]), str(record["at"])
        except (ValueError, TypeError, KeyError):
            continue  # damage is reported by audit:verify
        if arguments.since is not None and at < arguments.since:
            return
        if arguments.event is not None and not fnmatch.fnmatchcase(kind, arguments.event):
            continue
        if arguments.actor in {None, record.get("actor")} and arguments.target in {None, record.get("target")}:
            yield line, cast("Mapping[str, Any]", record)


def _as_text(record: Mapping[str, Any]) -> str:
    """Format a record. Control characters are escaped: otherwise the name of a user could control the terminal."""
    words = [record["at"], record["event"], record.get("outcome")]
    words += [f"{name}={record[name]}" for name in _NAMED_MEMBERS if record.get(name) is not None]
    words += [f"{name}={value}" for name, value in record.items() if name not in _COMMON_MEMBERS]
    return "  ".join(each if each.isprintable() else ascii(each)[1:-1] for each in map(str, words))


def _since(text: str) -> str:
    """Parse a time, or a duration before now; return it in the format of records."""
    span = parse_duration(text)
    moment = datetime.fromtimestamp(time.time() - span / 1_000, UTC) if span is not None else None
    moment = moment or datetime.fromisoformat(text)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _fail(text: str) -> int:
    sys.stderr.write(f"visado: {text}\n")
    return 1
