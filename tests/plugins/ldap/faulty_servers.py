"""Faulty servers: silent, slow, refusing, referring, garbled. Each implements as much LDAP as its fault needs."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

BIND, SEARCH, EXTENDED = 0x60, 0x63, 0x77
BIND_DONE, ENTRY, SEARCH_DONE, REFERENCE, EXTENDED_DONE = 0x61, 0x64, 0x65, 0x73, 0x78


def tlv(tag, *contents):
    content = b"".join(contents)
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes(4, "big")
    return bytes([tag, 0x84]) + length + content


def text(value, tag=0x04):
    return tlv(tag, value if isinstance(value, bytes) else value.encode())


def result(number, tag, code, *rest, message=""):
    return tlv(0x30, number, tlv(tag, tlv(0x0A, bytes([code])), text(""), text(message), *rest))


def entry(number, dn, **attributes):
    lines = [tlv(0x30, text(name), tlv(0x31, *map(text, values))) for name, values in attributes.items()]
    return tlv(0x30, number, tlv(ENTRY, text(dn), tlv(0x30, *lines)))


def read_tlv(content):
    """Return `(tag, value, rest)`, or None while the value is incomplete."""
    if len(content) < 2:
        return None
    length, start = content[1], 2
    if length > 127:
        start = 2 + (length & 127)
        length = int.from_bytes(content[2:start], "big")
    if len(content) < start + length:
        return None
    return content[0], content[start : start + length], content[start + length :]


class LocalServer:
    """A server on a free port of this machine, as a context manager."""

    @property
    def url(self):
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self):
        return f"ldaps://127.0.0.1:{self.port}"

    def __enter__(self):
        return self


class FaultyServer(LocalServer):
    """A server on a free port; `received` is all bytes of clients, `connections` their number."""

    def __init__(self, backlog=64):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port = self._listener.getsockname()[1]
        self.received, self.connections, self._open = b"", 0, []
        threading.Thread(target=self._accept, daemon=True).start()

    def __exit__(self, *_):
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, suppress(OSError):
            self.serve(connection)

    def serve(self, connection):
        """Receive everything and respond with nothing."""
        while received := connection.recv(65536):
            self.received += received


class Silent(FaultyServer):
    """Accepts connections and never responds."""


class Slow(FaultyServer):
    """Sends one byte a second of a message that never ends."""

    def serve(self, connection):
        connection.sendall(b"\x30\x84\x00\x00\xff\xff")
        while True:
            time.sleep(1)  # subject: a server that is slow
            connection.sendall(b"\x02")


class Closing(FaultyServer):
    """Closes each connection at once."""

    def serve(self, connection):
        connection.close()


class Garbled(FaultyServer):
    """Responds with bytes that are not LDAP."""

    def __init__(self, answer=b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 3):
        self._answer = answer
        super().__init__()

    def serve(self, connection):
        self.received += connection.recv(65536)
        connection.sendall(self._answer)
        super().serve(connection)


class Speaking(FaultyServer):
    """Responds with what `answer(tag, number, content)` returns: bytes, or None for no response."""

    def answer(self, tag, number, content):
        raise NotImplementedError

    def serve(self, connection):
        buffer = b""
        while received := connection.recv(65536):
            self.received += received
            buffer += received
            while (message := read_tlv(buffer)) is not None:
                buffer = message[2]
                _, value, rest = read_tlv(message[1])
                tag, content, _ = read_tlv(rest)
                reply = self.answer(tag, tlv(0x02, value), content)
                if reply is not None:
                    connection.sendall(reply)


class RefusingTls(Speaking):
    """Refuses STARTTLS and accepts every bind."""

    def answer(self, tag, number, content):
        if tag == EXTENDED:
            return result(number, EXTENDED_DONE, 2, message="unsupported extended operation")
        return result(number, BIND_DONE, 0)


class Injecting(Speaking):
    """Accepts STARTTLS and sends a successful bind response in the same packet."""

    def answer(self, tag, number, content):
        if tag == EXTENDED:
            following = tlv(0x02, bytes([read_tlv(number)[1][-1] + 1]))
            return result(number, EXTENDED_DONE, 0) + result(following, BIND_DONE, 0)
        return None


class Referring(Speaking):
    """Refers clients to another server: by results, or by references in a search."""

    def __init__(self, elsewhere, on):
        self._referral, self._on = text(elsewhere), on
        super().__init__()

    def answer(self, tag, number, content):
        referral = tlv(0xA3, self._referral)
        if tag == BIND:
            refers = self._on == "bind" and b"uid=" in content
            return result(number, BIND_DONE, 10, referral) if refers else result(number, BIND_DONE, 0)
        if tag != SEARCH:
            return None
        if self._on == "search":
            return result(number, SEARCH_DONE, 10, referral)
        found = entry(number, "uid=ann,ou=people,dc=example,dc=org", uid=["ann"], entryUUID=["an-id"])
        reference = tlv(0x30, number, tlv(REFERENCE, self._referral))
        return found + reference + result(number, SEARCH_DONE, 0)


class Ranging(Speaking):
    """Returns the groups of its one entry in ranges, as Active Directory does."""

    def __init__(self, groups, size):
        self._groups, self._size = groups, size
        super().__init__()

    def answer(self, tag, number, content):
        if tag == BIND:
            return result(number, BIND_DONE, 0)
        if tag != SEARCH:
            return None
        asked = content.rpartition(b"range=")[2].partition(b"-")[0]
        first = int(asked) if asked.isdigit() else 0
        held = self._groups[first : first + self._size]
        last = "*" if first + self._size >= len(self._groups) else first + self._size - 1
        part = {f"memberOf;range={first}-{last}": held}
        if not first:
            part |= {"uid": ["ann"], "entryUUID": ["an-id"], "memberOf": []}
        found = entry(number, "uid=ann,ou=people,dc=example,dc=org", **part)
        return found + result(number, SEARCH_DONE, 0)


class BlackHole(LocalServer):
    """An address that accepts no connection: its backlog is full."""

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port = self._listener.getsockname()[1]
        self._waiting = []
        while self._answers():
            pass
        return self

    def _answers(self):
        """Let one more client wait; return whether its connection was answered."""
        waiting = socket.socket()
        self._waiting.append(waiting)
        waiting.settimeout(0.2)
        return waiting.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(self, *_):
        for each in (self._listener, *self._waiting):
            each.close()


class Recording(LocalServer):
    """Forwards everything to a server and records what the client sent."""

    def __init__(self, port):
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.received = self._listener.getsockname()[1], b""
        threading.Thread(target=self._accept, daemon=True).start()

    def __exit__(self, *_):
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._to))
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source, target, keep):
        with suppress(OSError):
            while content := source.recv(65536):
                self.received += content if keep else b""
                target.sendall(content)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()
