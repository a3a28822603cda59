"""Plays a recorded conversation: one line of JSON per step, where `{{name}}` stands for what an earlier step bound.

A step over HTTP: `send` (verb and path), `token`, `headers`, and a payload: `body` (JSON), `text`, `base64`, or
`long` (a text, a character, how often, a text). A step over WebSocket: `on` (which socket), and `open` (a path),
`send` (JSON, or a list sent at once), `text`, `base64`, `long`, `ping`, `close`, or `wait` (seconds).
Before it: `sleep` (seconds), `align` (to a whole second), `rested` (a login may follow on this socket again).
After it: `bind` (a name, and where its value stands in the answer: a dotted path, or a path and a pattern).
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.client
import json
import re
import socket
import time
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from .masks import dig

Step = dict[str, Any]

PATIENCE = 20.0
_QUIET = 0.3
_WINDOW = 1.03
_DATA = Path(__file__).parent


def steps(kind: str) -> list[Step]:
    """Read the recorded steps of one transport."""
    return [json.loads(line) for line in (_DATA / f"{kind}.jsonl").read_text().splitlines()]


def read(name: str) -> dict[str, Any]:
    """Read a file of expectations."""
    return json.loads((_DATA / name).read_text())


class Player:
    """Plays the steps of one transport, and keeps the answers by the names of the steps."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: dict[str, dict[str, Any]] = {}
        self._bound: dict[str, str] = {}

    def play(self, script: Iterable[Step]) -> None:
        """Play the steps, one after the other; what a broken connection leaves is its step's answer."""
        for step in script:
            self._pause(step)
            try:
                answer = self._exchange(self._filled({k: v for k, v in step.items() if k not in ("answer", "bind")}))
            except (OSError, http.client.HTTPException) as error:
                answer = {"broken": repr(error)}
            self.answers[step["name"]] = answer
            for name, where in step.get("bind", {}).items():
                self._bound[name] = _taken(answer, where)

    def _pause(self, step: Step) -> None:
        time.sleep(step.get("sleep", 0))  # subject: the recorded time between two steps
        if step.get("align"):
            time.sleep(1.02 - time.time() % 1)  # subject: the start of a second

    def _exchange(self, step: Step) -> dict[str, Any]:
        raise NotImplementedError

    def _filled(self, value: Any) -> Any:
        if isinstance(value, str):
            return re.sub(r"\{\{(\w+)\}\}", lambda found: self._bound.get(found[1], "UNBOUND"), value)
        if isinstance(value, dict):
            return {name: self._filled(each) for name, each in value.items()}
        return [self._filled(each) for each in value] if isinstance(value, list) else value


class HttpPlayer(Player):
    """Plays over HTTP, a connection per request."""

    def _exchange(self, step: Step) -> dict[str, Any]:
        verb, path = step["send"].split(" ", 1)
        payload = json.dumps(step["body"]).encode() if "body" in step else _payload(step)
        headers = {"Authorization": f"Bearer {step['token']}"} if "token" in step else {}
        if payload:
            headers["Content-Type"] = "application/json"
        headers |= step.get("headers", {})
        if payload or verb in ("POST", "PUT", "PATCH"):
            headers["Content-Length"] = str(len(payload))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest(verb, path, skip_accept_encoding=True)
            for name, value in headers.items():
                if value is not None:
                    connection.putheader(name, value)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused unread
                connection.endheaders(payload)
            return _answer(connection.getresponse())
        finally:
            connection.close()


class SocketPlayer(Player):
    """Plays over WebSocket, on several sockets; what comes late is an answer of the step before."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._sockets: dict[str, Socket] = {}
        self._last: dict[str, str] = {}

    def play(self, script: Iterable[Step]) -> None:
        """Play the steps, then listen for what nobody expects."""
        try:
            super().play(script)
            for name in self._sockets:
                self._late(name)
        finally:
            for each in self._sockets.values():
                each.close()

    def _pause(self, step: Step) -> None:
        super()._pause(step)
        if step.get("rested"):
            rest = self._sockets[step["on"]].last_login + _WINDOW - time.monotonic()
            time.sleep(max(0.0, rest))  # subject: the limit of logins per second

    def _exchange(self, step: Step) -> dict[str, Any]:
        name = step["on"]
        if "open" in step:
            self._sockets[name] = Socket(self.port, step["open"], step.get("headers", {}))
            self._last[name] = step["name"]
            return {"handshake": self._sockets[name].status, "received": []}
        if "wait" not in step:
            self._late(name)
        self._last[name] = step["name"]
        here = self._sockets[name]
        here.send(step)
        count = step["messages"]
        patience = step.get("wait", _QUIET) if count == 0 else PATIENCE
        return {"received": here.receive(max(count, 1), patience)}

    def _late(self, name: str) -> None:
        self.answers[self._last[name]]["received"] += self._sockets[name].receive(100, 0)


class Socket:
    """A WebSocket whose frames are all seen."""

    def __init__(self, port: int, path: str, headers: Mapping[str, str]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}{path}"), max_size=None)
        self._messages: list[dict[str, Any]] = []
        self._ended = False
        self.status = 0
        self.last_login = 0.0
        request = self._protocol.connect()
        request.headers.update(Headers(headers))
        self._protocol.send_request(request)
        self._flush()
        while not self.status and not self._ended:
            self._pump(PATIENCE)

    def send(self, step: Step) -> None:
        """Send what the step says; nothing where it only waits."""
        protocol = self._protocol
        if "ping" in step:
            protocol.send_ping(step["ping"].encode())
        elif "close" in step:
            protocol.send_close(step["close"]["code"], step["close"]["reason"])
        elif "send" in step:
            several = step["send"] if isinstance(step["send"], list) else [step["send"]]
            if any(each.get("action") == "login" for each in several):
                self.last_login = time.monotonic()
            for each in several:
                self._send(json.dumps(each).encode(), binary="binary" in step)
        elif {"text", "base64", "long"} & step.keys():
            self._send(_payload(step), binary="binary" in step)
        self._flush()

    def _send(self, data: bytes, *, binary: bool) -> None:
        (self._protocol.send_binary if binary else self._protocol.send_text)(data)

    def receive(self, count: int, patience: float) -> list[dict[str, Any]]:
        """Wait for so many messages, but no longer than that."""
        end = time.monotonic() + patience
        while len(self._messages) < count and not self._ended:
            left = end - time.monotonic()
            if not self._pump(max(left, 0)) and left <= 0:
                break
        taken, self._messages = self._messages[:count], self._messages[count:]
        return taken

    def _flush(self) -> None:
        try:
            for data in self._protocol.data_to_send():
                if data:
                    self._socket.sendall(data)
        except OSError:  # closed by the host, as the next reading tells
            pass

    def _pump(self, patience: float) -> bool:
        self._socket.settimeout(max(patience, 0.001))
        try:
            data = self._socket.recv(65_536)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
            self._ended = True
        for event in self._protocol.events_received():
            self._note(event)
        self._flush()
        return bool(data)

    def _note(self, event: Any) -> None:
        if isinstance(event, Response):
            self.status = event.status_code
        elif isinstance(event, Frame):
            self._messages.append(_message(event))

    def close(self) -> None:
        """Drop the connection."""
        self._socket.close()


def _message(frame: Frame) -> dict[str, Any]:
    if frame.opcode is Opcode.CLOSE:
        return {"close": Close.parse(bytes(frame.data)).code}
    if frame.opcode in (Opcode.PING, Opcode.PONG):
        return {frame.opcode.name.lower(): bytes(frame.data).decode()}
    return json.loads(bytes(frame.data))


def _payload(step: Step) -> bytes:
    if "long" in step:
        before, character, count, after = step["long"]
        return f"{before}{character * count}{after}".encode()
    return base64.b64decode(step["base64"]) if "base64" in step else step.get("text", "").encode()


def _answer(response: http.client.HTTPResponse) -> dict[str, Any]:
    data = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    unpack = {"gzip": gzip.decompress, "deflate": zlib.decompress}.get(headers.get("content-encoding", ""))
    text = (unpack(data) if unpack and data else data).decode()
    try:
        body = json.loads(text)
    except ValueError:
        body = text
    return {"status": response.status, "headers": headers, "body": body, "text": text}


def _taken(answer: Mapping[str, Any], where: str | list[str]) -> str:
    """Take what is to be bound: over HTTP from the envelope or the headers, over WebSocket from the first message."""
    path, pattern = (where, "(.*)") if isinstance(where, str) else where
    if "received" in answer:
        place = next(iter(answer["received"]), {})
    else:
        place = answer if path.startswith("headers.") else answer.get("body")
    found = re.match(pattern, str(dig(place, path) or ""))
    return found[1] if found else "UNBOUND"
