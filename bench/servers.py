"""Processes that are measured: started on their cores, asked until they answer, read from /proc."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

SERVER, BOTH, LOAD = "0", "0,1", "1"
"""Cores: of the servers, of servers that may use two, and of whoever asks them."""

PATIENCE = 60.0
LOOKS = 10
_TICKS = os.sysconf("SC_CLK_TCK")
VISADO = Path(sys.executable).with_name("visado")


def pinned(cores: str, command: Sequence[str]) -> list[str]:
    """The command that runs a command on these cores alone."""
    return ["taskset", "-c", cores, *command]


@dataclass
class Server:
    """A running server."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    took: float
    """Seconds from nothing to the first answer."""

    def cpu(self) -> float:
        """Seconds of processor time so far, of all threads, user and system."""
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss(self) -> float:
        """Resident memory in MB."""
        lines = (self._proc / "status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))

    def ask(self, verb: str, path: str, body: str | None = None, token: str | None = None) -> bytes:
        """Ask once, and return the body of the answer. Raises `RuntimeError` unless it is a 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        try:
            connection.request(verb, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{self.name}: {verb} {path}: {answer.status} {text[:300]!r}")
        return text

    def rest(self) -> None:
        """Wait until the server has done what nobody waits for any more, such as the last logins of a flood."""
        quiet = 0
        while quiet < LOOKS:
            quiet = 0 if self._busy() else quiet + 1
            time.sleep(0.005)

    def _busy(self) -> bool:
        """Whether a thread of it computes or waits for the disk."""
        for file in self._proc.glob("task/*/stat"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                if file.read_text().rpartition(")")[2].split()[0] in "RD":
                    return True
        return False

    @property
    def _proc(self) -> Path:
        return Path(f"/proc/{self.process.pid}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def start(
    name: str,
    command: Sequence[str],
    *,
    cores: str = SERVER,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Server:
    """Start a server; `{port}` in the command becomes its port. Raises `RuntimeError` where it never answers."""
    port = port or free_port()
    line = pinned(cores, [part.replace("{port}", str(port)) for part in command])
    given = {**os.environ, "BENCH_PORT": str(port), **(environment or {})}
    begun = time.perf_counter()
    with (log or Path(os.devnull)).open("ab") as output:
        process = subprocess.Popen(line, stdout=output, stderr=output, env=given)
    while time.perf_counter() < begun + PATIENCE and process.poll() is None:
        if _answers(port):
            return Server(name, port, process, time.perf_counter() - begun)
        time.sleep(0.001)
    process.kill()
    process.wait()
    said = log.read_text(errors="replace")[-2000:] if log else ""
    raise RuntimeError(f"{name} did not start: {' '.join(line)}\n{said}")


def visado(folder: Path, *, cores: str = SERVER, local_alone: bool = False) -> Server:
    """Serve a data folder with `visado serve`, as an operator does: with every plugin, or with visado-local alone."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    config = folder.with_suffix(".toml")
    config.write_text('[plugins]\ndisabled = ["audit", "ldap", "oauth", "totp"]\n' if local_alone else "")
    command = [str(VISADO), "serve", "--port", "{port}", "--data", str(folder), "--config", str(config)]
    return start("visado", command, cores=cores, log=folder.with_suffix(".log"))


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    """Whether a server answers anything at all; nobody listening costs no time."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as asked:
            asked.sendall(b"GET /_now HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return asked.recv(12).startswith(b"HTTP/1.1 ")
    except OSError:
        return False
