"""A login from a terminal: the browser comes back to a port of this machine, or a code is entered elsewhere."""

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

_PATIENCE: Final = 300.0
_PAGE: Final = b"<!doctype html><title>visado</title><p>You may close this page and go back to the terminal.</p>"
_PENDING: Final = "oauth.device.pending"


class Failed(Exception):
    """The login did not succeed; the text is for the terminal."""


def log_in(arguments: Namespace, _: Settings) -> int:
    """Log in at a running host, and print its answer."""
    url = f"{arguments.url.rstrip('/')}/_login/{quote(arguments.name, safe='')}"
    try:
        result = _by_device(url) if arguments.device else _by_browser(url)
    except (Failed, OSError, HTTPException) as error:
        print(f"visado: {error}", file=sys.stderr)  # noqa: T201 - a command line writes
        return 1
    print(json.dumps(result, indent=2))  # noqa: T201
    return 0


def _by_browser(url: str) -> Any:
    verifier = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    with _Listener() as listener:
        begun = _ask(url, {"challenge": challenge, "redirectUri": listener.address})
        _tell(f"Log in at {begun['location']}")
        webbrowser.open(begun["location"])
        back = listener.wait(begun["state"])
    if "code" not in back:
        raise Failed(back.get("error_description") or back.get("error") or "the provider sent no code")
    sent = {"code": back["code"], "state": back["state"], "verifier": verifier}
    return _ask(url, sent | ({"iss": back["iss"]} if "iss" in back else {}))


def _by_device(url: str) -> Any:
    begun = _ask(url, {"device": True})
    _tell(f"Enter {begun['userCode']} at {begun['location']}")
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        time.sleep(begun["interval"])
        found = _ask(url, {"device": begun["device"]}, pending=True)
        if found is not None:
            return found
    raise Failed("nobody entered the code")


def _ask(url: str, body: Mapping[str, Any], *, pending: bool = False) -> Any:
    """Post to the host, and return the result; None while a code is pending. Raises `Failed`."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=60)
    try:
        connection.request("POST", parts.path, json.dumps(body), {"content-type": "application/json"})
        answer: Any = json.loads(connection.getresponse().read())
    except ValueError:
        raise Failed(f"{url} is no visado") from None
    finally:
        connection.close()
    error = answer.get("error")
    if error is None:
        return answer["result"]
    if pending and error["id"] == _PENDING:
        return None
    raise Failed(f"{error['id']}: {error['message']}")


class _Listener:
    """A port of this machine to which the browser comes back, once (RFC 8252)."""

    def __init__(self) -> None:
        self._seen: list[dict[str, str]] = []
        seen = self._seen

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                found = path == "/back"
                if found:
                    seen.append(dict(parse_qsl(query)))
                self.send_response(200 if found else 404)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("cache-control", "no-store")
                self.end_headers()
                self.wfile.write(_PAGE if found else b"")

            @override
            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: the address holds the code."""

        self._server = HTTPServer(("127.0.0.1", 0), Answers)
        self._server.timeout = 1
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/back"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.server_close()

    def wait(self, state: str) -> dict[str, str]:
        """Wait for the browser with this state; what others send is not looked at."""
        ends = time.monotonic() + _PATIENCE
        while time.monotonic() < ends:
            self._server.handle_request()
            for each in self._seen:
                if secrets.compare_digest(each.get("state", "").encode(), state.encode()):
                    return each
        raise Failed("nobody came back from the provider")


def _tell(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - a command line writes
