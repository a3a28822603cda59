"""Secrets that a test follows: it searches logs, results and stored documents for them."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from secrets import token_hex
from urllib.parse import quote

import pytest


class Canaries:
    """Secrets, and the search for them: as they are, in base64, in hexadecimal, or as part of an address.

    Pass what `make` returns to the plugin as a password, or `add` a secret of your own. Then `watch` the logs of a
    block, and `check` results, errors and objects (their `repr`).
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = {*secrets}
        self._sources: list[tuple[str, Callable[[], object]]] = []

    def make(self, name: str = "secret") -> str:
        """Make a random secret, follow it and return it."""
        return self.add(f"canary-{name}-{token_hex(8)}")

    def add(self, secret: str) -> str:
        """Follow this secret, too; return it."""
        self._secrets.add(secret)
        return secret

    def check(self, *values: object, where: str = "a value that the test checks") -> None:
        """Fail the test if a value contains a secret. The message names the secret and `where` the value is from."""
        for value in values:
            text = _text(value)
            for secret in self._secrets:
                if any(form in text for form in _forms(secret)):
                    pytest.fail(f"the secret {secret!r} is in {where}: leave it out, or store only its hash")

    @contextmanager
    def watch(self) -> Generator[Canaries]:
        """Check everything that is logged during the block, at every level, with tracebacks."""
        with capture_logs() as log:
            yield self
        self.check(log.getvalue(), where="the log")

    def check_at_end(self, where: str, read: Callable[[], object]) -> None:
        """Let `finish` check what `read` returns then. The fixture `canaries` finishes at the end of the test."""
        self._sources.append((where, read))

    def finish(self) -> None:
        """Check the values of `check_at_end`."""
        for where, read in self._sources:
            self.check(read(), where=where)


@contextmanager
def capture_logs() -> Generator[io.StringIO, None, None]:
    """Capture everything that is logged during the block, at every level, with tracebacks."""
    text = io.StringIO()
    handler, root = logging.StreamHandler(text), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield text
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def _text(value: object) -> str:
    return value if isinstance(value, str) else f"{json.dumps(value, ensure_ascii=False, default=repr)} {value!r}"


def _forms(secret: str) -> set[str]:
    """Return the ways to write a secret."""
    data = secret.encode(errors="surrogatepass")
    base64s = (base64.b64encode(data), base64.urlsafe_b64encode(data))
    escaped = json.dumps(secret)[1:-1]
    return {secret, escaped, quote(data), data.hex(), *(text.decode().rstrip("=") for text in base64s)} - {""}
