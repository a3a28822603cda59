"""The command of visado-totp: enrol from a terminal, over a running host."""

from __future__ import annotations

import getpass
import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from visado import Settings
from visado_totp.authenticator import in_characters

_PATIENCE: Final = 60.0
_CHALLENGED: Final = "security.login.challenged"
_WRONG: Final = "totp.code.wrong"


class Commands(Protocol):
    """The commands of the command line, as the host lends them."""

    def add_parser(self, name: str, *, help: str = "") -> ArgumentParser:
        """Add a command."""
        ...


class Failed(Exception):
    """The enrolment did not succeed; the text is for the terminal."""


def register(commands: Commands) -> None:
    """Add the command."""
    enrol = commands.add_parser("totp:enrol", help="enrol an authenticator at a running host, with a QR code")
    enrol.add_argument("--url", default=os.environ.get("VISADO_URL", "http://127.0.0.1:7512"), help="the host")
    enrol.add_argument("--username", default=os.environ.get("VISADO_USERNAME"), help="the user name of whoever enrols")
    enrol.add_argument("--password", default=os.environ.get("VISADO_PASSWORD"), help="without it, you are asked")
    enrol.add_argument("--jwt", help="a token or an API key, in place of user name and password")
    enrol.set_defaults(run=run)


def run(arguments: Namespace, _: Settings) -> int:
    """Show the QR code, ask for the first code, and print the recovery codes."""
    try:
        codes = _enrol(arguments)
    except (Failed, OSError, HTTPException, EOFError) as error:
        _tell(f"visado: {error or 'nobody to ask'}")
        return 1
    print(json.dumps({"recoveryCodes": codes}, indent=2))  # noqa: T201 - a command line writes
    return 0


def _enrol(arguments: Namespace) -> list[str]:
    host, token = _Host(arguments.url), arguments.jwt
    if not token:
        username = arguments.username or input("User name: ")
        password = arguments.password or getpass.getpass(f"Password of {username}: ")
        answer = host.ask("/_login/local", {"username": username, "password": password})
        challenge = _enrolling(answer)
        if challenge is not None:
            return _at_login(host, challenge)
        token = answer.wanted()["jwt"]
    offer = host.ask("/_totp/_begin", None, token).wanted()
    _show(offer)
    while True:
        answer = host.ask("/_totp/_confirm", {"enrolment": offer["enrolment"], "code": _code()}, token)
        if answer.error_id != _WRONG:
            return list(answer.wanted()["recoveryCodes"])
        _tell(answer.message)


def _at_login(host: _Host, challenge: Mapping[str, Any]) -> list[str]:
    """Answer a login that wants its user to enrol; the token that comes of it is not needed."""
    _show(challenge["data"])
    while True:
        answer = host.ask("/_login/local", {"challenge": challenge["reference"], "code": _code()})
        again = _enrolling(answer)
        if again is None:
            return list(answer.wanted()["recoveryCodes"])
        challenge = again
        _tell(answer.message)


def _show(offer: Mapping[str, Any]) -> None:
    _tell(f"{in_characters(offer['uri'])}\nScan this with your authenticator, or enter the secret {offer['secret']}")


def _code() -> str:
    _tell("The code that it shows: ", end="")
    return input()


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the host said."""

    result: Any = field(repr=False)
    error_id: str
    message: str

    def wanted(self) -> Any:
        """The result. Raises `Failed` where it is an error."""
        if self.error_id:
            raise Failed(f"{self.error_id}: {self.message}")
        return self.result


def _enrolling(answer: _Answer) -> Mapping[str, Any] | None:
    """Find the challenge to enrol in an answer, if it is one."""
    found: Any = answer.result["challenge"] if answer.error_id == _CHALLENGED else None
    return found if found and found["check"] == "totp" and found["data"]["enrol"] else None


class _Host:
    """A running host."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def ask(self, path: str, body: Any, token: str | None = None) -> _Answer:
        """Post to the host. Raises `Failed` where this is none."""
        parts = urlsplit(self._url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_PATIENCE)
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
        try:
            connection.request("POST", f"{parts.path}{path}", json.dumps(body), headers)
            answer: Any = json.loads(connection.getresponse().read())
            error: Any = answer.get("error") or {"id": "", "message": ""}
            return _Answer(answer["result"], error["id"], error["message"])
        except (ValueError, TypeError, KeyError, AttributeError):
            raise Failed(f"{self._url} is no visado") from None
        finally:
            connection.close()


def _tell(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)  # noqa: T201 - a command line writes
