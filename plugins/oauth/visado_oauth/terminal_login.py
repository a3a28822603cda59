"""A login from a terminal: in a browser that returns to a port of this machine, or by a code on another device."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
import time
import webbrowser
from argparse import Namespace
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qsl, quote, urlsplit

from typing_extensions import override

from visado import Settings

_LOGIN_SECONDS: Final = 300.0
_REQUEST_SECONDS: Final = 60.0
_VERIFIER_BYTES: Final = 32
_CALLBACK_PATH: Final = "/back"
_PAGE: Final = b"<!doctype html><title>visado</title><p>You may close this page and return to the terminal.</p>"
_PENDING_ID: Final = "oauth.device.pending"
_CHALLENGED_ID: Final = "security.login.challenged"


class TerminalLoginFailed(Exception):
    """The login failed; the text is for the terminal."""


def run(arguments: Namespace, _: Settings) -> int:
    """Log in at a running host, print its result, and return the exit code."""
    url = f"{arguments.url.rstrip('/')}/_login/{quote(arguments.name, safe='')}"
    try:
        result = _log_in_by_device(url) if arguments.device else _log_in_by_browser(url)
    except (TerminalLoginFailed, OSError, HTTPException) as error:
        print(f"visado: {error}", file=sys.stderr)  # noqa: T201 - a command line writes
        return 1
    print(json.dumps(result, indent=2))  # noqa: T201
    return 0


def _log_in_by_browser(url: str) -> Any:
    verifier = secrets.token_urlsafe(_VERIFIER_BYTES)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    with _CallbackServer() as server:
        started = _post(url, {"challenge": challenge, "redirectUri": server.url})
        _tell(f"Log in at {started['location']}")
        webbrowser.open(started["location"])
        callback = server.wait(started["state"])
    if "code" not in callback:
        raise TerminalLoginFailed(
            callback.get("error_description") or callback.get("error") or "the provider sent no code"
        )
    body = {"code": callback["code"], "state": callback["state"], "verifier": verifier}
    return _post(url, body | ({"iss": callback["iss"]} if "iss" in callback else {}))


def _log_in_by_device(url: str) -> Any:
    challenge = _post(url, {"device": True}, goes_on=_CHALLENGED_ID)["challenge"]
    started = challenge["data"]
    _tell(f"Enter {started['userCode']} at {started['location']}")
    ends = time.monotonic() + _LOGIN_SECONDS
    while time.monotonic() < ends:
        time.sleep(started["interval"])
        result = _post(url, {"challenge": challenge["reference"]}, goes_on=_PENDING_ID)
        if result is not None:
            return result
    raise TerminalLoginFailed("the code was not entered in time")


def _post(url: str, body: Mapping[str, Any], *, goes_on: str | None = None) -> Any:
    """Send a request to the host, and return the result; also with the error `goes_on`, with which a login goes on.

    Raises `TerminalLoginFailed`, `OSError`, `HTTPException`.
    """
    parts = urlsplit(url)
    connection_type = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connection_type(parts.hostname or "", parts.port, timeout=_REQUEST_SECONDS)
    try:
        connection.request("POST", parts.path, json.dumps(body), {"content-type": "application/json"})
        envelope: Any = json.loads(connection.getresponse().read())
    except ValueError:
        raise TerminalLoginFailed(f"{url} is not a visado host") from None
    finally:
        connection.close()
    error = envelope.get("error")
    if error is None or error["id"] == goes_on:
        return envelope["result"]
    raise TerminalLoginFailed(f"{error['id']}: {error['message']}")


class _CallbackServer:
    """A port of this machine to which the provider sends the browser (RFC 8252)."""

    def __init__(self) -> None:
        self._callbacks: list[dict[str, str]] = []
        callbacks = self._callbacks

        class CallbackHandler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                is_callback = path == _CALLBACK_PATH
                if is_callback:
                    callbacks.append(dict(parse_qsl(query)))
                self.send_response(200 if is_callback else 404)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("cache-control", "no-store")
                self.end_headers()
                self.wfile.write(_PAGE if is_callback else b"")

            @override
            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing: the URL contains the code."""

        self._server = HTTPServer(("127.0.0.1", 0), CallbackHandler)
        self._server.timeout = 1
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{_CALLBACK_PATH}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.server_close()

    def wait(self, state: str) -> dict[str, str]:
        """Return the parameters of the callback with this state; others are ignored. Raises `TerminalLoginFailed`."""
        ends = time.monotonic() + _LOGIN_SECONDS
        while time.monotonic() < ends:
            self._server.handle_request()
            for each in self._callbacks:
                if secrets.compare_digest(each.get("state", "").encode(), state.encode()):
                    return each
        raise TerminalLoginFailed("the browser did not return from the provider in time")


def _tell(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - a command line writes
