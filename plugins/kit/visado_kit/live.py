"""A host in a process of its own, as an operator runs it: `visado serve`."""

from __future__ import annotations

import http.client
import json
import logging
import os
import select
import signal
import subprocess
import sys
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from websockets.sync.client import ClientConnection, connect

from visado import Fields
from visado_kit.errors import HostNotStarted

WAIT_SECONDS: Final = 30.0
"""How long to wait for the host: for its start, a response, a message, and its end."""


@dataclass(frozen=True, slots=True)
class LiveResponse:
    """The response to a request, over HTTP or a WebSocket."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def result(self) -> Any:
        """The result in the envelope."""
        return self.body["result"]

    @property
    def error_id(self) -> str | None:
        """The id of the error in the envelope, or of an error without an envelope; None if the request succeeded."""
        error = self.body.get("error", self.body)
        return error.get("id") if error else None


class LiveSocket:
    """A WebSocket to a running host: run actions with `query`, or `send` and `receive` messages."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.notes: list[Any] = []
        """The notifications that arrived while `query` waited for a response, such as `TokenExpired`."""

    def send(self, message: Any) -> None:
        """Send a text or bytes as they are, and anything else as JSON."""
        self._connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    def receive(self, seconds: float = WAIT_SECONDS) -> Any:
        """Wait for the next message; return its JSON. Raises `TimeoutError` after so many seconds."""
        return json.loads(self._connection.recv(seconds))

    def query(self, action: str, *, token: str | None = None, **payload: Any) -> LiveResponse:
        """Run an action, such as `auth:login`, and wait for its response. `payload` is what stands beside `action`."""
        controller, _, name = action.rpartition(":")
        id_ = str(uuid.uuid4())
        jwt = {"jwt": token} if token else {}
        self.send({"controller": controller, "action": name, "requestId": id_, **jwt, **payload})
        while (message := self.receive()).get("room") != id_:
            self.notes.append(message)
        return LiveResponse(message.get("status", 200), message.get("headers", {}), message)


class LiveHost:
    """A host in a process of its own: send requests over HTTP or a WebSocket; stop, kill and restart it on its data."""

    def __init__(self, folder: Path, *, config: str = "", environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._config = folder / "visado.toml"
        self._config.write_text(config)
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.report: list[str] = []
        """The lines of the start-up report."""

    @property
    def url(self) -> str:
        """The address for HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What the host has written to standard error so far."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The id of the process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> LiveHost:
        """Start the process, and wait until it listens. Raises `HostNotStarted` if it does not."""
        command = [sys.executable, "-m", "visado", "serve", "--port", str(self.port)]
        command += ["--data", str(self.folder / "data"), "--config", str(self._config)]
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a command of our own
                command, stdout=subprocess.PIPE, stderr=log, env=self._environment, cwd=self.folder
            )
        self.report = self._read_report()
        self.port = int(self.report[0].split(" as ")[0].rsplit(":", 1)[1])
        return self

    def _read_report(self) -> list[str]:
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], WAIT_SECONDS)
        text = os.read(self._process.stdout.fileno(), 65_536).decode() if ready else ""  # written in one piece
        if not text:
            self.kill()
            raise HostNotStarted(f"the host did not start:\n{self.log}")
        return text.splitlines()

    def stop(self) -> int:
        """Stop the host as an operator does (SIGTERM); return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """Kill the host, as in a crash (SIGKILL); return its exit code."""
        return self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        process.send_signal(number)
        code = process.wait(WAIT_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
        self._process = None
        return code

    def request(
        self,
        verb: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> LiveResponse:
        """Send an HTTP request on a connection of its own. A body that is not bytes is sent as JSON."""
        sent = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        try:
            connection.request(verb, path, data, {**sent, **(headers or {})})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        try:
            received: Any = json.loads(text) if text else None
        except ValueError:
            received = text.decode(errors="replace")
        return LiveResponse(response.status, {name.lower(): value for name, value in response.getheaders()}, received)

    def query(self, action: str, *, token: str | None = None, **payload: Any) -> LiveResponse:
        """Run an action, such as `auth:login`, over HTTP. `payload` is what stands beside `action`."""
        controller, _, name = action.rpartition(":")
        return self.request("POST", "/_query", {"controller": controller, "action": name, **payload}, token=token)

    @contextmanager
    def socket(self, headers: Mapping[str, str] | None = None) -> Generator[LiveSocket]:
        """Open a WebSocket, and close it after the block."""
        address = self.url.replace("http", "ws", 1)
        logger = logging.getLogger("visado_kit.socket")
        logger.setLevel(logging.CRITICAL)  # or the log of the test would hold every message
        with connect(
            address, proxy=None, additional_headers=headers, open_timeout=WAIT_SECONDS, logger=logger
        ) as connection:
            yield LiveSocket(connection)

    def login(self, username: str, password: str, **arguments: Any) -> str:
        """Log in with the strategy `local`; return the token."""
        response = self.query("auth:login", body={"username": username, "password": password}, **arguments)
        token: str = response.result["jwt"]
        return token

    def create_admin(self, username: str = "admin", password: str = "a long enough password") -> str:
        """Create the first administrator, close the host to anonymous users, and return the administrator's token."""
        body: Fields = {"content": {}, "credentials": {"local": {"username": username, "password": password}}}
        self.request("POST", f"/_createFirstAdmin/{username}?reset=true", body)
        return self.login(username, password)


@contextmanager
def serve(folder: Path, *, config: str = "", environment: Mapping[str, str] | None = None) -> Generator[LiveHost]:
    """Run a host that stores its data in `folder`, and stop it after the block.

    `config` is the text of its `visado.toml`, and `environment` are variables beside those of the test. Raises
    `HostNotStarted`.
    """
    host = LiveHost(folder, config=config, environment=environment).start()
    try:
        yield host
    finally:
        host.stop()
