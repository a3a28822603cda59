"""Secrets that are followed: whatever a plugin logs, shows or keeps is searched for them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from secrets import token_hex
from urllib.parse import quote

import pytest

from visado_kit.stage import logged


class Canaries:
    """Knows secrets, and finds them: as they are, or in base64, hexadecimal, or as part of an address.

    Give the plugin what `make` returns as a password, or `add` what is secret already. Then `watch` the logs of a
    block, and `check` results, errors and objects (their `repr`).
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = {*secrets}
        self._places: list[tuple[str, Callable[[], object]]] = []

    def make(self, name: str = "secret") -> str:
        """Make up a secret that is nowhere else."""
        return self.add(f"canary-{name}-{token_hex(8)}")

    def add(self, secret: str) -> str:
        """Follow this secret, too; return it."""
        self._secrets.add(secret)
        return secret

    def check(self, *shown: object, where: str = "what is shown") -> None:
        """Fail where a secret is in one of these, naming the secret, and `where` it was found."""
        for each in shown:
            text = _text(each)
            for secret in self._secrets:
                if any(form in text for form in _forms(secret)):
                    pytest.fail(f"the secret {secret!r} is in {where}: leave it out, or keep no more than its hash")

    @contextmanager
    def watch(self) -> Generator[Canaries]:
        """Check everything that is logged during the block, at every level, with tracebacks."""
        with logged() as log:
            yield self
        self.check(log.getvalue(), where="the log")

    def look_at(self, where: str, read: Callable[[], object]) -> None:
        """Check what `read` returns at the end: of the test, where this is the fixture `canaries`."""
        self._places.append((where, read))

    def finish(self) -> None:
        """Check what was to be looked at."""
        for where, read in self._places:
            self.check(read(), where=where)


def _text(shown: object) -> str:
    return shown if isinstance(shown, str) else f"{json.dumps(shown, ensure_ascii=False, default=repr)} {shown!r}"


def _forms(secret: str) -> set[str]:
    """How a secret may be written; what is too short to be told from chance is no secret."""
    data = secret.encode(errors="surrogatepass")
    base64s = (base64.b64encode(data), base64.urlsafe_b64encode(data))
    escaped = json.dumps(secret)[1:-1]
    return {secret, escaped, quote(data), data.hex(), *(text.decode().rstrip("=") for text in base64s)} - {""}
