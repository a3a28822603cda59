from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from visado import ServerSection, Settings
from visado_audit.chain import HashChain
from visado_audit.log import AuditLog
from visado_audit.observer import AuditObserver
from visado_audit.settings import AuditSection
from visado_audit.verify import verify_log
from visado_kit.clock import Clock
from visado_kit.live import LiveHost

AT = "2026-11-23T08:00:00.000Z"
NOW = round(datetime.fromisoformat(AT).timestamp() * 1_000)
"""The time of the records of tests, and of their clock: a later clock would rotate the files."""
CHEAP = "[local]\nmemory = 7168\niterations = 5\n"


@dataclass
class Book:
    """A log in a folder, with methods that write and read it."""

    path: Path

    def log(self, clock=None, **settings):
        return AuditLog(self.path, AuditSection.model_validate(settings), clock or Clock(NOW))

    def observer(self, **settings):
        sections = [AuditSection.model_validate({"path": self.path, **settings}), ServerSection()]
        return AuditObserver(Settings(sections), Clock(NOW))

    def write(self, *targets, **settings):
        """Open the log, write a record for each target, and close it."""
        log = self.log(**settings)
        for target in targets:
            log.append([{"event": "test", "at": AT, "target": target}])
        log.close()
        return log

    def verify(self, key=None):
        return verify_log(self.path, HashChain(key))

    @property
    def files(self):
        """The files of records, in order."""
        full = sorted(self.path.parent.glob(f"{self.path.stem}.[0-9]*{self.path.suffix}"))
        return [*full, *([self.path] if self.path.exists() else [])]

    @property
    def lines(self):
        return [line for file in self.files for line in file.read_bytes().splitlines(keepends=True)]

    @property
    def records(self):
        return [json.loads(line) for line in self.lines]

    def of(self, kind):
        return [each for each in self.records if each["event"] == kind]

    @property
    def told(self):
        """The records of requests, without those of the log itself and of the start."""
        return [each for each in self.records if not each["event"].startswith("audit.") and each["address"] is not None]


@pytest.fixture
def book(tmp_path):
    return Book(tmp_path / "audit" / "audit.jsonl")


@pytest.fixture(scope="session")
def book_of():
    return lambda folder: Book(folder / "data" / "audit" / "audit.jsonl")


@pytest.fixture
def run(tmp_path):
    """Run a command of visado."""

    def run(*words, cwd=tmp_path):
        command = [sys.executable, "-m", "visado", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=os.environ, timeout=60)

    return run


@pytest.fixture
def start(tmp_path):
    """Start hosts in the folder of the test, and stop them after it."""
    hosts = []

    def start(config="", folder=tmp_path):
        folder.mkdir(exist_ok=True)
        hosts.append(LiveHost(folder, config=CHEAP + config))
        return hosts[-1].start()

    yield start
    for host in hosts:
        host.stop()
