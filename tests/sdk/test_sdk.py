"""The official JavaScript client, as npm has it, against a running host: over HTTP and over WebSocket."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.node import install
from visado_kit.live import LiveHost, serve

FOLDER = Path(__file__).parent

SCRIPTS = ("auth", "security", "lasting")
PROTOCOLS = ("http", "websocket")
PATIENCE = 60

pytestmark = pytest.mark.timeout(4 * PATIENCE)  # the first test of a script waits for all of it

Reports = dict[str, str | None]


def steps(script: str) -> list[str]:
    """The names of a script's steps, as they stand in it."""
    text = (FOLDER / f"{script}.mjs").read_text()
    names: list[str] = []
    for name in re.findall(r'^ *step\((?:"([^"]+)"|`([^`]+)`)', text, re.MULTILINE):
        kinds = re.search(r"for \(const kind of (\[.+\])\)", text)
        names += [name[0]] if name[0] else [name[1].replace("${kind}", each) for each in json.loads(kinds[1])]
    return names


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Future[Reports]]]:
    """What each script reported over each protocol, each against a host of its own."""
    node = install(FOLDER, "the official JavaScript client")
    pairs = [(script, protocol) for script in SCRIPTS for protocol in PROTOCOLS]
    with ThreadPoolExecutor(2) as pool:
        yield {pair: pool.submit(run, node, *pair, tmp_path_factory.mktemp("-".join(pair))) for pair in pairs}


def run(node: str, script: str, protocol: str, folder: Path) -> Reports:
    """Run a script against a new host, and collect what it says of its steps; None is well."""
    reports: Reports = {}
    with serve(folder) as host:
        command = [node, f"{script}.mjs", str(host.port), protocol]
        with subprocess.Popen(
            command, cwd=FOLDER, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            watchdog = threading.Timer(PATIENCE, process.kill)
            watchdog.start()
            for line in process.stdout or ():
                said = json.loads(line)
                if "ask" in said:
                    _restart(host, process)
                else:
                    reports[said["name"]] = said["error"]
            complaint = process.stderr.read() if process.stderr else ""
            watchdog.cancel()
    if process.returncode:
        reports["the script itself"] = complaint
    return reports


def _restart(host: LiveHost, process: subprocess.Popen[str]) -> None:
    host.stop()
    host.start()
    assert process.stdin is not None
    process.stdin.write("done\n")
    process.stdin.flush()


@pytest.mark.parametrize("name", [pytest.param((s, n), id=f"{s}-{n}") for s in SCRIPTS for n in steps(s)])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_step(protocol: str, name: tuple[str, str], reports: dict[tuple[str, str], Future[Reports]]):
    script, step = name
    reported = reports[script, protocol].result(3 * PATIENCE)
    error = reported.get(step, reported.get("the script itself", "the step was not reached"))
    if error is not None:
        pytest.fail(error, pytrace=False)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_step_is_unknown(protocol: str, script: str, reports: dict[tuple[str, str], Future[Reports]]):
    assert list(reports[script, protocol].result(3 * PATIENCE)) == steps(script)
