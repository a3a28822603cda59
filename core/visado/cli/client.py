"""The commands that run an action of a running host, such as `visado auth:login`."""

from __future__ import annotations

import getpass
import http.client
import json
import sys
import tempfile
import uuid
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from visado.cli import options
from visado.cli.options import EXIT_FAILED, EXIT_USAGE
from visado.codec import is_object
from visado.request import Fields

_TIMEOUT_SECONDS: Final = 60.0
_LOGIN_LIFETIME: Final = "90s"
"""The lifetime of the token for one command."""
_BOOLEANS: Final[dict[str, Any]] = {"true": True, "false": False}

_PLACES: Final = {"ARGS": "-a", "BODY": "in the body", "WHOLE": "the body"}
"""Where the command takes an argument, by the name of its `ArgumentPlace`."""

Send: TypeAlias = Callable[[Fields], Fields]
"""Send a request payload and return the response. Raises `RequestFailed`."""


class RequestFailed(Exception):
    """The host could not be reached, sent no valid response, or refused the login that precedes the action."""


_FAILURES: Final = (OSError, ValueError, RequestFailed, http.client.HTTPException)


def run(words: Sequence[str]) -> int:
    """Run the action that the first word names, print its result, and return the exit code."""
    name, *rest = words
    parser = options.action_parser(name)
    arguments = parser.parse_args(rest)
    if arguments.protocol not in options.PROTOCOLS:
        parser.error(f"VISADO_PROTOCOL: {arguments.protocol!r} is none of {', '.join(options.PROTOCOLS)}")
    if arguments.help:
        return _print_help(name, parser.format_help())
    try:
        payload = _payload(name, arguments)
    except ValueError as error:
        print(f"visado {name}: {error}", file=sys.stderr)
        return EXIT_USAGE

    def send_payload(send: Send) -> Fields:
        return send(payload if "jwt" in payload else payload | _token(arguments, send))

    if name == "auth:login" and "body" not in payload:
        return _log_in(arguments, payload, send_payload)
    return _run(arguments, send_payload)


def _log_in(arguments: Namespace, payload: Fields, send_payload: Callable[[Send], Fields]) -> int:
    """Log in. If the strategy redirects to a browser, run the `login` command of its plugin."""
    try:
        with _Connection(arguments) as send:
            response = send_payload(send)
    except _FAILURES as failure:
        return _print_failure(failure)
    result: Any = response.get("result")
    if not arguments.envelope and is_object(result) and "Location" in result.get("headers", ()):
        from visado.cli import added_commands  # noqa: PLC0415 - imported only if needed

        code = added_commands.log_in(str(payload.get("strategy", "local")), arguments.url)
        if code is not None:
            return code
    return _print_response(arguments, response)


def create_admin(arguments: Namespace) -> int:
    """Create the first administrator of a running host, restrict the default rights, and return the exit code."""
    try:
        username = arguments.username or input("User name of the administrator: ")
        password = arguments.password or _ask_new_password()
    except EOFError:
        print("visado: standard input is closed: use --username and --password", file=sys.stderr)
        return EXIT_FAILED
    credentials = {"local": {"username": username, "password": password}}
    payload: Fields = {
        "controller": "security",
        "action": "createFirstAdmin",
        "reset": True,
        "body": {"content": {}, "credentials": credentials},
    }
    arguments.envelope = False
    code = _run(arguments, lambda send: send(payload))
    if code == EXIT_FAILED:
        print("visado: a host that already has an administrator refuses to create a first one", file=sys.stderr)
    return code


def _ask_new_password() -> str:
    while True:
        password = getpass.getpass("Password: ")
        if password and password == getpass.getpass("Repeat the password: "):
            return password
        print("The passwords differ, or are empty. Try again.", file=sys.stderr)


def _run(arguments: Namespace, send_payload: Callable[[Send], Fields]) -> int:
    try:
        with _Connection(arguments) as send:
            response = send_payload(send)
    except _FAILURES as failure:
        return _print_failure(failure)
    return _print_response(arguments, response)


def _print_failure(failure: Exception) -> int:
    print(f"visado: {failure}", file=sys.stderr)
    return EXIT_FAILED


def _print_response(arguments: Namespace, response: Fields) -> int:
    """Print the response's error on standard error and its result on standard output; return the exit code."""
    error = response.get("error")
    if error:
        print(f"visado: {error['id']}: {error['message']}", file=sys.stderr)
    if arguments.envelope or not error or response.get("result") is not None:
        printed = response if arguments.envelope else response.get("result")
        print(printed if response.get("raw") else json.dumps(printed, indent=2, ensure_ascii=False))
    return EXIT_FAILED if error else 0


def _token(arguments: Namespace, send: Send) -> Fields:
    """Return the payload's member `jwt`: the API key, or the token of a login as `--username`; else no member."""
    if arguments.api_key:
        return {"jwt": arguments.api_key}
    if not arguments.username:
        return {}
    password = arguments.password or getpass.getpass(f"Password of {arguments.username}: ")
    login = {"controller": "auth", "action": "login", "strategy": "local", "expiresIn": _LOGIN_LIFETIME}
    response = send(login | {"body": {"username": arguments.username, "password": password}})
    if response.get("error"):
        raise RequestFailed(f"{response['error']['id']}: {response['error']['message']}")
    return {"jwt": response["result"]["jwt"]}


def _payload(name: str, arguments: Namespace) -> Fields:
    """Return the request payload. Raises `ValueError` for an argument or a body that cannot be parsed."""
    controller, _, action = name.rpartition(":")
    payload: Fields = {"controller": controller, "action": action}
    for each in arguments.arg:
        key, equals, value = each.partition("=")
        if not equals:
            raise ValueError(f"-a {each}: expected KEY=VALUE")
        payload[key] = _BOOLEANS.get(value, value)
    if arguments.id is not None:
        payload["_id"] = arguments.id
    text = arguments.body if arguments.body is not None else arguments.body_text
    if text == "-":
        text = sys.stdin.read()
    if text:
        payload["body"] = _parse_body(text)
    return payload


def _parse_body(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        import json5  # noqa: PLC0415 - slow to import

        try:
            return json5.loads(text)
        except ValueError as error:
            raise ValueError(f"the body is neither JSON nor JSON5: {error}") from None


class _Connection:
    """A connection to the host: a context manager that returns the function with which payloads are sent."""

    def __init__(self, arguments: Namespace) -> None:
        self._url: str = arguments.url.rstrip("/")
        self._protocol: str = arguments.protocol
        self._socket: Any = None

    def __enter__(self) -> Send:
        if self._protocol == "http":
            return self._send_over_http
        from websockets.sync.client import connect  # noqa: PLC0415 - imported only if needed

        try:
            url = self._url.replace("http", "ws", 1)
            self._socket = connect(url, open_timeout=_TIMEOUT_SECONDS, max_size=None, proxy=None)
        except Exception as error:
            raise RequestFailed(f"{self._url}: {error}") from None
        return self._send_over_websocket

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    def _send_over_http(self, payload: Fields) -> Fields:
        parts = urlsplit(self._url)
        connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = connect(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", f"{parts.path}/_query", json.dumps(payload).encode(), headers)
            return _parse_response(connection.getresponse().read(), self._url)
        except OSError as error:
            raise RequestFailed(f"{self._url}: {error.strerror or error}") from None
        finally:
            connection.close()

    def _send_over_websocket(self, payload: Fields) -> Fields:
        request_id = str(uuid.uuid4())
        self._socket.send(json.dumps(payload | {"requestId": request_id}))
        while True:
            data = self._socket.recv(timeout=_TIMEOUT_SECONDS)
            response: Any = json.loads(data)
            if isinstance(response, str):  # a raw text has no envelope and no request id
                return _parse_response(response, self._url)
            if request_id in (response.get("room"), response.get("requestId")):
                response.pop("room", None)
                return _parse_response(json.dumps(response), self._url)


def _parse_response(data: bytes | str, url: str) -> Fields:
    """Return the response as an envelope: from an envelope, an error without one, or a raw result."""
    try:
        response: Any = json.loads(data)
    except ValueError:
        return {"result": (data.decode() if isinstance(data, bytes) else data).rstrip(), "raw": True}
    if not is_object(response):
        raise RequestFailed(f"{url}: the server is no visado host")
    if "requestId" in response:
        return response
    return {"error": response} if "message" in response and "status" in response else {"result": response}


def _print_help(name: str, usage: str) -> int:
    """Print the description of an action and its arguments, from the action table of a new host."""
    from visado.app import create_app  # noqa: PLC0415 - imports the whole host

    with tempfile.TemporaryDirectory() as folder:
        table = create_app({"server": {"data": folder}}).table
    action = next((each for each in table if each.id == name), None)
    if action is None:
        print(f"visado: no action is called {name}", file=sys.stderr)
        return EXIT_FAILED
    print(f"{action.doc}\n")
    for each in action.parameters:
        default = "required" if each.required else f"default {json.dumps(each.default)}"
        print(f"  {each.wire:<20} {_PLACES[each.place.name]:<12} {each.type.expected:<10} {default}")
    print(f"\n{usage}")
    return 0
