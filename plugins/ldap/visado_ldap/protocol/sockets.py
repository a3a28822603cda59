"""Sockets to a directory server whose every step ends at a deadline. Nothing here knows LDAP.

A time-out per read does not stop a server that sends one byte a second. So each read and write gets the time that is
left for the whole exchange.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from visado_ldap.errors import ServerUnreachable

MAX_RESPONSE_BYTES: Final = 32 * 1024 * 1024
"""The bytes that a connection accepts as response to one request."""

NO_RESPONSE: Final = "no response in time"

SocketAddress: TypeAlias = tuple[socket.AddressFamily, Any]


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time on the monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline in `seconds` from now."""
        return cls(time.monotonic() + seconds)

    def limited_to(self, seconds: float) -> Deadline:
        """Return this deadline, or the one in `seconds` from now where that is earlier."""
        return min(self, Deadline.after(seconds), key=lambda each: each.at)

    @property
    def passed(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self.at

    def seconds_left(self, step: str) -> float:
        """Return the seconds until the deadline. Raises `ServerUnreachable` for `step` when it has passed."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise ServerUnreachable(step, NO_RESPONSE)
        return left


class DeadlineSocket:
    """A connected socket with the methods that ldap3 calls, bound to the deadline of the current exchange."""

    def __init__(self, raw: socket.socket) -> None:
        self._socket = raw
        self.deadline = Deadline(0.0)
        self._received_bytes = 0

    def set_deadline(self, deadline: Deadline) -> None:
        """Start an exchange that must end at this deadline."""
        self.deadline, self._received_bytes = deadline, 0

    def recv(self, size: int) -> bytes:
        """Receive at most `size` bytes. Raises `ServerUnreachable` past the deadline or for too large a response."""
        self._socket.settimeout(self.deadline.seconds_left("read"))
        received = self._socket.recv(size)
        self._received_bytes += len(received)
        if self._received_bytes > MAX_RESPONSE_BYTES:
            raise ServerUnreachable("read", f"more than {MAX_RESPONSE_BYTES} bytes in one response")
        return received

    def sendall(self, content: bytes) -> None:
        """Send all bytes. Raises `ServerUnreachable` past the deadline."""
        self._socket.settimeout(self.deadline.seconds_left("write"))
        self._socket.sendall(content)

    def wrap_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Continue in TLS, with a certificate for `host`. Raises `ServerUnreachable`."""
        self._socket.settimeout(self.deadline.seconds_left("TLS"))
        try:
            self._socket = context.wrap_socket(self._socket, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise ServerUnreachable("TLS", f"the certificate is refused: {error.verify_message}") from None
        except TimeoutError:
            raise ServerUnreachable("TLS", NO_RESPONSE) from None
        except (OSError, ValueError) as error:
            raise ServerUnreachable("TLS", f"the handshake failed: {error}") from None

    @property
    def tls_version(self) -> str:
        """The version of TLS; empty for a connection in the clear."""
        return self._socket.version() or "" if isinstance(self._socket, ssl.SSLSocket) else ""

    def getsockname(self) -> Any:
        """Return the local address, for ldap3's representation."""
        return self._socket.getsockname()

    def getpeername(self) -> Any:
        """Return the server's address, for ldap3's representation."""
        return self._socket.getpeername()

    def shutdown(self, how: int) -> None:
        """Shut one or both directions down."""
        self._socket.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def resolve(host: str, port: int, path: str = "") -> list[SocketAddress]:
    """Resolve a server's addresses; `path` is that of a local socket. Raises `ServerUnreachable`."""
    if path:
        return [(socket.AF_UNIX, path)]
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ServerUnreachable("resolve", f"{host}: {getattr(error, 'strerror', None) or error}") from None
    return list(dict.fromkeys((each[0], each[4]) for each in addresses))


def connect(addresses: Sequence[SocketAddress], deadline: Deadline) -> DeadlineSocket:
    """Connect to the first address that accepts, within an equal share of the time for each.

    Raises `ServerUnreachable`.
    """
    reasons: list[str] = []
    for number, (family, address) in enumerate(addresses):
        share = deadline.seconds_left("connect") / (len(addresses) - number)
        raw = socket.socket(family, socket.SOCK_STREAM)
        try:
            raw.settimeout(share)
            raw.connect(address)
            if family != socket.AF_UNIX:
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raw.close()
            reasons.append(NO_RESPONSE if isinstance(error, TimeoutError) else str(error.strerror or error))
        else:
            return DeadlineSocket(raw)
    raise ServerUnreachable("connect", "; ".join(dict.fromkeys(reasons)) or "no address")
