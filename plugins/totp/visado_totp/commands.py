"""The command `visado totp:enrol`: enrol an authenticator at a running host, from a terminal."""

from __future__ import annotations

import getpass
import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

from visado import Commands, Settings
from visado_totp.authenticator import qr_text

REQUEST_TIMEOUT_SECONDS: Final = 60.0
CHALLENGED_ID: Final = "security.login.challenged"
WRONG_CODE_ID: Final = "totp.code.wrong"


class EnrolmentFailed(Exception):
    """The enrolment failed; the text is for the terminal."""


def add_commands(commands: Commands) -> None:
    """Add `totp:enrol`."""
    enrol = commands.add_parser("totp:enrol", help="enrol an authenticator at a running host, with a QR code")
    _add_arguments(enrol)
    enrol.set_defaults(run=run_enrol)


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--url", default=os.environ.get("VISADO_URL", "http://127.0.0.1:7512"), help="URL of the host")
    parser.add_argument("--username", default=os.environ.get("VISADO_USERNAME"), help="user name of the user to enrol")
    parser.add_argument(
        "--password", default=os.environ.get("VISADO_PASSWORD"), help="password; if absent, the command asks for it"
    )
    parser.add_argument("--jwt", help="a token or an API key, instead of user name and password")


def run_enrol(arguments: Namespace, _: Settings) -> int:
    """Show the QR code, ask for the first code, and print the recovery codes. Return the exit code."""
    try:
        codes = _enrol(arguments)
    except EOFError:
        _tell("visado: no input: the command needs a terminal")
        return 1
    except (EnrolmentFailed, OSError, HTTPException) as error:
        _tell(f"visado: {error}")
        return 1
    print(json.dumps({"recoveryCodes": codes}, indent=2))  # noqa: T201 - a command line writes
    return 0


def _enrol(arguments: Namespace) -> list[str]:
    client, token = _HostClient(arguments.url), arguments.jwt
    if not token:
        username = arguments.username or input("User name: ")
        password = arguments.password or getpass.getpass(f"Password of {username}: ")
        response = client.post("/_login/local", {"username": username, "password": password})
        challenge = _enrolment_challenge(response)
        if challenge is not None:
            return _enrol_at_login(client, challenge)
        token = response.get_result()["jwt"]
    offer = client.post("/_totp/_begin", None, token).get_result()
    _show(offer)
    while True:
        confirmation = {"enrolment": offer["enrolment"], "code": _read_code()}
        response = client.post("/_totp/_confirm", confirmation, token)
        if response.error_id != WRONG_CODE_ID:
            return list(response.get_result()["recoveryCodes"])
        _tell(response.message)


def _enrol_at_login(client: _HostClient, challenge: Mapping[str, Any]) -> list[str]:
    """Answer the challenge of a login that requires enrolment. The token of the login is not used."""
    _show(challenge["data"])
    while True:
        answer = {"challenge": challenge["reference"], "code": _read_code()}
        response = client.post("/_login/local", answer)
        repeated = _enrolment_challenge(response)
        if repeated is None:
            return list(response.get_result()["recoveryCodes"])
        challenge = repeated
        _tell(response.message)


def _show(offer: Mapping[str, Any]) -> None:
    _tell(f"{qr_text(offer['uri'])}\nScan this with your authenticator, or enter the secret {offer['secret']}")


def _read_code() -> str:
    _tell("The code that it shows: ", end="")
    return input()


@dataclass(frozen=True, slots=True)
class _HostResponse:
    """A response of the host: the result, or the id and the message of an error."""

    result: Any = field(repr=False)
    error_id: str
    message: str

    def get_result(self) -> Any:
        """Return the result. Raises `EnrolmentFailed` if the response is an error."""
        if self.error_id:
            raise EnrolmentFailed(f"{self.error_id}: {self.message}")
        return self.result


def _enrolment_challenge(response: _HostResponse) -> Mapping[str, Any] | None:
    """Return the challenge to enrol in a response, or None."""
    challenge: Any = response.result["challenge"] if response.error_id == CHALLENGED_ID else None
    return challenge if challenge and challenge["check"] == "totp" and challenge["data"]["enrol"] else None


class _HostClient:
    """An HTTP client of a running host."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def post(self, path: str, body: Any, token: str | None = None) -> _HostResponse:
        """Send a request. Raises `EnrolmentFailed` if the response is not one of visado."""
        parts = urlsplit(self._url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=REQUEST_TIMEOUT_SECONDS)
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
        try:
            connection.request("POST", f"{parts.path}{path}", json.dumps(body), headers)
            envelope: Any = json.loads(connection.getresponse().read())
            error: Any = envelope.get("error") or {"id": "", "message": ""}
            return _HostResponse(envelope["result"], error["id"], error["message"])
        except (ValueError, TypeError, KeyError, AttributeError):
            raise EnrolmentFailed(f"{self._url} is not a visado host") from None
        finally:
            connection.close()


def _tell(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)  # noqa: T201 - a command line writes
