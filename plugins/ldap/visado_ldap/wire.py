"""Connections to a server, step by step and never longer than a deadline: ldap3 alone waits for ever.

A time-out per read does not help against a server that sends a byte a second, so every read and write here
gets what is left of the time for the whole exchange. Nothing here knows LDAP.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from visado_ldap.errors import Unreachable

MOST_BYTES: Final = 32 * 1024 * 1024
"""Bytes that one connection takes in for one request."""

SILENT: Final = "no answer in time"

Address: TypeAlias = tuple[socket.AddressFamily, Any]


@dataclass(frozen=True, slots=True)
class Deadline:
    """When something must have ended, on the monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """In so many seconds."""
        return cls(time.monotonic() + seconds)

    def at_most(self, seconds: float) -> Deadline:
        """This one, or in so many seconds, whichever is earlier."""
        return min(self, Deadline.after(seconds), key=lambda each: each.at)

    @property
    def over(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() >= self.at

    def left(self, step: str) -> float:
        """The seconds until then. Raises `Unreachable` where there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise Unreachable(step, SILENT)
        return left


class Wire:
    """A connected socket, as far as ldap3 uses one."""

    def __init__(self, raw: socket.socket) -> None:
        self._socket = raw
        self.deadline = Deadline(0.0)
        self._taken = 0

    def within(self, deadline: Deadline) -> None:
        """Give the next exchange so much time."""
        self.deadline, self._taken = deadline, 0

    def recv(self, size: int) -> bytes:
        """Receive some bytes."""
        self._socket.settimeout(self.deadline.left("read"))
        received = self._socket.recv(size)
        self._taken += len(received)
        if self._taken > MOST_BYTES:
            raise Unreachable("read", f"more than {MOST_BYTES} bytes in one answer")
        return received

    def sendall(self, content: bytes) -> None:
        """Send all of it."""
        self._socket.settimeout(self.deadline.left("write"))
        self._socket.sendall(content)

    def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Go on in TLS, with a certificate for this host. Raises `Unreachable`."""
        self._socket.settimeout(self.deadline.left("TLS"))
        try:
            self._socket = context.wrap_socket(self._socket, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise Unreachable("TLS", f"the certificate is refused: {error.verify_message}") from None
        except TimeoutError:
            raise Unreachable("TLS", SILENT) from None
        except (OSError, ValueError) as error:
            raise Unreachable("TLS", f"the handshake failed: {error}") from None

    @property
    def secured(self) -> str:
        """The version of TLS; empty without."""
        return self._socket.version() or "" if isinstance(self._socket, ssl.SSLSocket) else ""

    def getsockname(self) -> Any:
        """Our end, as ldap3 shows it."""
        return self._socket.getsockname()

    def getpeername(self) -> Any:
        """The other end, as ldap3 shows it."""
        return self._socket.getpeername()

    def shutdown(self, how: int) -> None:
        """Stop both ways."""
        self._socket.shutdown(how)

    def close(self) -> None:
        """Let go."""
        self._socket.close()


def resolve(host: str, port: int, path: str = "") -> list[Address]:
    """Find the addresses of a server. Raises `Unreachable`."""
    if path:
        return [(socket.AF_UNIX, path)]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable("resolve", f"{host}: {getattr(error, 'strerror', None) or error}") from None
    return list(dict.fromkeys((each[0], each[4]) for each in found))


def connect(addresses: Sequence[Address], deadline: Deadline) -> Wire:
    """Connect to the first address that answers, with a fair share of the time for each. Raises `Unreachable`."""
    reasons: list[str] = []
    for number, (family, address) in enumerate(addresses):
        share = deadline.left("connect") / (len(addresses) - number)
        raw = socket.socket(family, socket.SOCK_STREAM)
        try:
            raw.settimeout(share)
            raw.connect(address)
            if family != socket.AF_UNIX:
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raw.close()
            reasons.append(SILENT if isinstance(error, TimeoutError) else str(error.strerror or error))
        else:
            return Wire(raw)
    raise Unreachable("connect", "; ".join(dict.fromkeys(reasons)) or "no address")
