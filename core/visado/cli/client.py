"""Any action as a command, for a host that is running."""

from __future__ import annotations

import getpass
import http.client
import json
import sys
import tempfile
import uuid
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from visado.cli import options
from visado.codec import is_object
from visado.request import Fields

_FAILED: Final = 1
_USAGE: Final = 2
_PATIENCE: Final = 60.0
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False}
Ask = Callable[[Fields], Fields]


class Refused(Exception):
    """The host answered with an error, or not at all."""


_FAILURES: Final = (OSError, ValueError, Refused, http.client.HTTPException)


def run(words: Sequence[str]) -> int:
    """Run an action, and print its result."""
    name, *rest = words
    parser = options.action(name)
    given = parser.parse_args(rest)
    if given.protocol not in options.PROTOCOLS:
        parser.error(f"VISADO_PROTOCOL: {given.protocol!r} is none of {', '.join(options.PROTOCOLS)}")
    if given.help:
        return _explain(name, parser.format_help())
    try:
        payload = _payload(name, given)
    except ValueError as error:
        print(f"visado {name}: {error}", file=sys.stderr)
        return _USAGE

    def work(ask: Ask) -> Fields:
        return ask(payload if "jwt" in payload else payload | _token(given, ask))

    if name == "auth:login" and "body" not in payload:
        return _log_in(given, payload, work)
    return _answer(given, work)


def _log_in(given: Namespace, payload: Fields, work: Callable[[Ask], Fields]) -> int:
    """Log in; where the strategy sends a browser on, let its plugin open one and wait."""
    try:
        with _connect(given) as ask:
            answer = work(ask)
    except _FAILURES as failure:
        return _complain(failure)
    result: Any = answer.get("result")
    if not given.envelope and is_object(result) and "Location" in result.get("headers", ()):
        from visado.cli import plugin_commands  # noqa: PLC0415 - only what the command needs

        code = plugin_commands.log_in(str(payload.get("strategy", "local")), given.url)
        if code is not None:
            return code
    return _show(given, answer)


def create_admin(given: Namespace) -> int:
    """Make the first administrator, and close the host for everybody else."""
    try:
        username = given.username or input("User name of the administrator: ")
        password = given.password or _new_password()
    except EOFError:
        print("visado: nobody to ask: give --username and --password", file=sys.stderr)
        return _FAILED
    credentials = {"local": {"username": username, "password": password}}
    payload: Fields = {
        "controller": "security",
        "action": "createFirstAdmin",
        "reset": True,
        "body": {"content": {}, "credentials": credentials},
    }
    given.envelope = False
    code = _answer(given, lambda ask: ask(payload))
    if code == _FAILED:
        print("visado: a host that has an administrator is closed, and makes no second first one", file=sys.stderr)
    return code


def _new_password() -> str:
    while True:
        password = getpass.getpass("Password: ")
        if password and password == getpass.getpass("Password again: "):
            return password
        print("The two differ, or are empty: once more.", file=sys.stderr)


def _answer(given: Namespace, work: Callable[[Ask], Fields]) -> int:
    try:
        with _connect(given) as ask:
            answer = work(ask)
    except _FAILURES as failure:
        return _complain(failure)
    return _show(given, answer)


def _complain(failure: Exception) -> int:
    print(f"visado: {failure}", file=sys.stderr)
    return _FAILED


def _show(given: Namespace, answer: Fields) -> int:
    error = answer.get("error")
    if error:
        print(f"visado: {error['id']}: {error['message']}", file=sys.stderr)
    if given.envelope or not error or answer.get("result") is not None:
        shown = answer if given.envelope else answer.get("result")
        print(shown if answer.get("raw") else json.dumps(shown, indent=2, ensure_ascii=False))
    return _FAILED if error else 0


def _token(given: Namespace, ask: Ask) -> Fields:
    """Find the token to ask with: an API key, or what a login brings."""
    if given.api_key:
        return {"jwt": given.api_key}
    if not given.username:
        return {}
    password = given.password or getpass.getpass(f"Password of {given.username}: ")
    login = {"controller": "auth", "action": "login", "strategy": "local", "expiresIn": "90s"}
    answer = ask(login | {"body": {"username": given.username, "password": password}})
    if answer.get("error"):
        raise Refused(f"{answer['error']['id']}: {answer['error']['message']}")
    return {"jwt": answer["result"]["jwt"]}


def _payload(name: str, given: Namespace) -> Fields:
    controller, _, action = name.rpartition(":")
    payload: Fields = {"controller": controller, "action": action}
    for each in given.arg:
        key, found, value = each.partition("=")
        if not found:
            raise ValueError(f"-a {each}: KEY=VALUE is needed")
        payload[key] = _WORDS.get(value, value)
    if given.id is not None:
        payload["_id"] = given.id
    text = given.body if given.body is not None else given.body_text
    if text == "-":
        text = sys.stdin.read()
    if text:
        payload["body"] = _relaxed(text)
    return payload


def _relaxed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        import json5  # noqa: PLC0415 - slow to import

        try:
            return json5.loads(text)
        except ValueError as error:
            raise ValueError(f"the body is no JSON, relaxed or not: {error}") from None


class _connect:  # noqa: N801 - reads as a function
    """A connection to the host: something to ask."""

    def __init__(self, given: Namespace) -> None:
        self._url: str = given.url.rstrip("/")
        self._protocol: str = given.protocol
        self._socket: Any = None

    def __enter__(self) -> Ask:
        if self._protocol == "http":
            return self._ask_http
        from websockets.sync.client import connect  # noqa: PLC0415

        try:
            address = self._url.replace("http", "ws", 1)
            self._socket = connect(address, open_timeout=_PATIENCE, max_size=None, proxy=None)
        except Exception as error:
            raise Refused(f"{self._url}: {error}") from None
        return self._ask_socket

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    def _ask_http(self, payload: Fields) -> Fields:
        parts = urlsplit(self._url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_PATIENCE)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", f"{parts.path}/_query", json.dumps(payload).encode(), headers)
            return _read(connection.getresponse().read(), self._url)
        except OSError as error:
            raise Refused(f"{self._url}: {error.strerror or error}") from None
        finally:
            connection.close()

    def _ask_socket(self, payload: Fields) -> Fields:
        room = str(uuid.uuid4())
        self._socket.send(json.dumps(payload | {"requestId": room}))
        while True:
            data = self._socket.recv(timeout=_PATIENCE)
            answer: Any = json.loads(data)
            if isinstance(answer, str):  # a text comes without an envelope, and without a room
                return _read(answer, self._url)
            if room in (answer.get("room"), answer.get("requestId")):
                answer.pop("room", None)
                return _read(json.dumps(answer), self._url)


def _read(data: bytes | str, url: str) -> Fields:
    """Read an answer: an envelope, a bare error, or what an action answers without an envelope."""
    try:
        answer: Any = json.loads(data)
    except ValueError:
        return {"result": (data.decode() if isinstance(data, bytes) else data).rstrip(), "raw": True}
    if not is_object(answer):
        raise Refused(f"{url}: this is no visado")
    if "requestId" in answer:
        return answer
    return {"error": answer} if "message" in answer and "status" in answer else {"result": answer}


def _explain(name: str, usage: str) -> int:
    """Say what an action takes, from its declaration."""
    from visado.app import create_app  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        table = create_app({"server": {"data": folder}}).table
    action = next((each for each in table if each.id == name), None)
    if action is None:
        print(f"visado: no action is called {name}", file=sys.stderr)
        return _FAILED
    print(f"{action.doc}\n")
    for each in action.parameters:
        default = "required" if each.required else f"default {json.dumps(each.default)}"
        print(f"  {each.wire:<20} in {each.place.value:<12} {each.kind.expected:<10} {default}")
    print(f"\n{usage}")
    return 0
