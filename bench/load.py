"""Load: wrk with 32 connections, many messages on one WebSocket, and a patient visitor."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from servers import LOAD, PATIENCE, Server, pinned

CONNECTIONS = 32
_SCRIPT = Path(__file__).with_suffix(".lua")


@dataclass(frozen=True)
class Sample:
    """What one round of load found."""

    rate: float
    """Answers per second."""
    cpu: float
    """Microseconds of the server's processor time per answer."""


@dataclass(frozen=True)
class Call:
    """A request over HTTP; with `turns`, each takes the next line of a file as its `body` or its `token`."""

    path: str
    token: str = ""
    verb: str = "GET"
    body: str = ""
    turns: tuple[str, Path] | None = None


def wrk(server: Server, call: Call, seconds: float) -> Sample:
    """Ask as fast as the server answers. Raises `RuntimeError` where an answer is not a 200."""
    return together([(server, call)], seconds)[0]


def together(asked: Sequence[tuple[Server, Call]], seconds: float) -> list[Sample]:
    """Ask several servers at the same time: whatever slows the machine down meanwhile then slows all of them alike."""
    before = [server.cpu() for server, _ in asked]
    running = [flood(server, call, seconds) for server, call in asked]
    said = [each.communicate()[0] for each in running]
    used = [server.cpu() - cpu for (server, _), cpu in zip(asked, before, strict=True)]
    samples: list[Sample] = []
    for (server, call), text, cpu in zip(asked, said, used, strict=True):
        server.rest()
        found = json.loads(text.splitlines()[-1])
        if found["failed"] or not found["requests"]:
            raise RuntimeError(f"{server.name}: {call.verb} {call.path}: {text.decode()}")
        samples.append(Sample(found["requests"] / found["seconds"], cpu / found["requests"] * 1e6))
    return samples


def flood(server: Server, call: Call, seconds: float) -> subprocess.Popen[bytes]:
    """Start asking, for whoever wants to look at something else meanwhile."""
    turns = [call.turns[0], str(call.turns[1])] if call.turns else []
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", str(_SCRIPT)]
    address = f"http://127.0.0.1:{server.port}{call.path}"
    command = ["wrk", *options, address, "--", call.verb, call.body, call.token, *turns]
    return subprocess.Popen(pinned(LOAD, command), stdout=subprocess.PIPE)


def visit(server: Server, call: Call, seconds: float, pause: float = 0.005) -> list[float]:
    """Ask one thing at a time, with pauses, on one connection; each answer's milliseconds."""
    taken: list[float] = []
    end = time.perf_counter() + seconds
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)) as asked:
        while (begun := time.perf_counter()) < end:
            asked.request(call.verb, call.path, headers={"Authorization": f"Bearer {call.token}"})
            answer = asked.getresponse()
            text = answer.read()
            taken.append((time.perf_counter() - begun) * 1000)
            if answer.status != 200:
                raise RuntimeError(f"{server.name}: {call.path}: {text[:300]!r}")
            time.sleep(pause)
    return taken


def percentile(values: list[float], percent: float) -> float:
    """The value under which this share of all lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


class WebSocket:
    """A client that sends one message again and again, so that many are in flight, and counts the answers."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        answer = self._socket.recv(65_536)
        if not (answer.startswith(b"HTTP/1.1 101 ") and answer.endswith(b"\r\n\r\n")):
            raise RuntimeError(f"{server.name}: no WebSocket: {answer!r}")

    def ask(self, message: bytes) -> bytes:
        """Send one message, and return its answer. Raises `RuntimeError` unless it is without error."""
        self._socket.sendall(_frame(message))
        answers: list[bytes] = []
        self._read(b"", answers)
        return answers[0]

    def flood(self, message: bytes, seconds: float) -> Sample:
        """Keep `CONNECTIONS` messages in flight."""
        frame = _frame(message)
        answers: list[bytes] = []
        before, begun, count, rest = self._server.cpu(), time.perf_counter(), 0, b""
        self._socket.sendall(frame * CONNECTIONS)
        while (now := time.perf_counter()) < begun + seconds:
            rest = self._read(rest, answers)
            count += len(answers)
            self._socket.sendall(frame * len(answers))
            answers.clear()
        sample = Sample(count / (now - begun), (self._server.cpu() - before) / count * 1e6)
        while len(answers) < CONNECTIONS:  # those that are still in flight
            rest = self._read(rest, answers)
        return sample

    def _read(self, rest: bytes, answers: list[bytes]) -> bytes:
        """Wait for at least one whole answer, and return what has come of the next."""
        found = len(answers)
        while len(answers) == found:
            chunk = self._socket.recv(1 << 20)
            if not chunk:
                raise RuntimeError(f"{self._server.name}: the WebSocket closed: {rest[:300]!r}")
            rest += chunk
            place = 0
            while (body := _body(rest, place)) is not None and body.stop <= len(rest):
                answer, place = rest[body], body.stop
                if b'"error":null' not in answer:
                    raise RuntimeError(f"{self._server.name}: {answer[:300]!r}")
                answers.append(answer)
            rest = rest[place:]
        return rest

    def close(self) -> None:
        self._socket.close()


def _frame(message: bytes) -> bytes:
    """A text message, masked with zeros."""
    size = len(message)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    if size >= 1 << 16:
        length = b"\xff" + size.to_bytes(8, "big")
    return b"\x81" + length + bytes(4) + message


def _body(data: bytes, place: int) -> slice | None:
    """Where the body of the frame that begins here is, or None where that is not known yet."""
    if len(data) < place + 2:
        return None
    size, begin = data[place + 1], place + 2
    if size >= 126:
        wide = 2 if size == 126 else 8
        if len(data) < begin + wide:
            return None
        size, begin = int.from_bytes(data[begin : begin + wide], "big"), begin + wide
    return slice(begin, begin + size)
