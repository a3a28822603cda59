"""A real host, as an operator runs it: `visado serve` in a process of its own."""

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

from visado.request import Fields

_PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, over HTTP or a WebSocket."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def result(self) -> Any:
        """The envelope's result."""
        return self.body["result"]

    @property
    def error_id(self) -> str | None:
        """The id of the envelope's error, or of a bare error."""
        error = self.body.get("error", self.body)
        return error.get("id") if error else None


class LiveSocket:
    """A WebSocket to a running host: ask with `query`, or `send` and `receive` messages as they are."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.notes: list[Any] = []
        """What came unasked while `query` waited for its answer, such as the end of a token."""

    def send(self, message: Any) -> None:
        """Send a message; what is neither text nor bytes is sent as JSON."""
        self._connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    def receive(self, patience: float = _PATIENCE) -> Any:
        """Wait so many seconds for the next message, and read its JSON. Raises `TimeoutError`."""
        return json.loads(self._connection.recv(patience))

    def query(self, action: str, *, token: str | None = None, **payload: Any) -> Answer:
        """Run an action by its name, and wait for its answer."""
        controller, _, name = action.rpartition(":")
        id_ = str(uuid.uuid4())
        jwt = {"jwt": token} if token else {}
        self.send({"controller": controller, "action": name, "requestId": id_, **jwt, **payload})
        while (message := self.receive()).get("room") != id_:
            self.notes.append(message)
        return Answer(message.get("status", 200), message.get("headers", {}), message)


class LiveHost:
    """A running host: ask it with `query` and `request`, or over a `socket`; stop, kill, and start it on its data."""

    def __init__(self, folder: Path, *, config: str = "", environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._config = folder / "visado.toml"
        self._config.write_text(config)
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.report: list[str] = []

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
        """The process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> LiveHost:
        """Start the process, and wait until it listens. Raises `RuntimeError` with its log where it does not."""
        command = [sys.executable, "-m", "visado", "serve", "--port", str(self.port)]
        command += ["--data", str(self.folder / "data"), "--config", str(self._config)]
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command, stdout=subprocess.PIPE, stderr=log, env=self._environment, cwd=self.folder
            )
        self.report = self._read_report()
        self.port = int(self.report[0].split(" as ")[0].rsplit(":", 1)[1])
        return self

    def _read_report(self) -> list[str]:
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _PATIENCE)
        text = os.read(self._process.stdout.fileno(), 65_536).decode() if ready else ""  # it is written at once
        if not text:
            self.kill()
            raise RuntimeError(f"the host did not start:\n{self.log}")
        return text.splitlines()

    def stop(self) -> int:
        """Ask the host to end, and return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End the host as a crash would."""
        return self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        process.send_signal(how)
        code = process.wait(_PATIENCE)
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
    ) -> Answer:
        """Ask over HTTP, on a connection of its own; a body that is not bytes is sent as JSON."""
        sent = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        try:
            connection.request(verb, path, data, {**sent, **(headers or {})})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        try:
            read: Any = json.loads(text) if text else None
        except ValueError:
            read = text.decode(errors="replace")
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, read)

    def query(self, action: str, *, token: str | None = None, **payload: Any) -> Answer:
        """Run an action by its name, over HTTP."""
        controller, _, name = action.rpartition(":")
        return self.request("POST", "/_query", {"controller": controller, "action": name, **payload}, token=token)

    @contextmanager
    def socket(self, headers: Mapping[str, str] | None = None) -> Generator[LiveSocket]:
        """Open a WebSocket for the length of a block."""
        address = self.url.replace("http", "ws", 1)
        quiet = logging.getLogger("visado_kit.socket")
        quiet.setLevel(logging.CRITICAL)  # or what is sent would be in the log of the test
        with connect(
            address, proxy=None, additional_headers=headers, open_timeout=_PATIENCE, logger=quiet
        ) as connection:
            yield LiveSocket(connection)

    def login(self, username: str, password: str, **arguments: Any) -> str:
        """Log in with the local strategy, and return the token."""
        answer = self.query("auth:login", body={"username": username, "password": password}, **arguments)
        token: str = answer.result["jwt"]
        return token

    def create_admin(self, username: str = "admin", password: str = "a long enough password") -> str:
        """Make the first administrator, close the host, and return a token of the administrator."""
        body: Fields = {"content": {}, "credentials": {"local": {"username": username, "password": password}}}
        self.request("POST", f"/_createFirstAdmin/{username}?reset=true", body)
        return self.login(username, password)


@contextmanager
def serve(folder: Path, *, config: str = "", environment: Mapping[str, str] | None = None) -> Generator[LiveHost]:
    """Run a host in a folder for the length of a block."""
    host = LiveHost(folder, config=config, environment=environment).start()
    try:
        yield host
    finally:
        host.stop()
