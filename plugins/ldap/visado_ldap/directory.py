"""A connection to a directory server: the one module that uses ldap3.

Owns what is sent on a connection (STARTTLS, binds, searches) and LDAP's filters and escapes. Does not own the choice
of the server (`servers`), what is searched for (`lookup`), nor sockets and bytes (`protocol`).

ldap3 parses filters, escapes values and decodes responses. It does nothing else: it opens no socket, checks no
certificate, follows no referral, reads no schema, retries nothing, and never sees a password, which it would change
through SASLprep.
"""

from __future__ import annotations

import math
import ssl
import uuid
import warnings
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Final, cast

from visado import Fields
from visado_ldap.errors import InvalidValue, ServerRefused, ServerUnreachable
from visado_ldap.protocol import ber
from visado_ldap.protocol.entries import Entry, ServerAddress, TlsSetup
from visado_ldap.protocol.ranged_attributes import complete_entry
from visado_ldap.protocol.responses import (
    INVALID_DN,
    NO_SUCH_OBJECT,
    SIZE_LIMIT_EXCEEDED,
    SUCCESS,
    LdapResult,
    read_policy_error,
)
from visado_ldap.protocol.sockets import NO_RESPONSE, Deadline, DeadlineSocket, SocketAddress, connect, resolve

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # ldap3 uses names that pyasn1 has renamed
    import ldap3  # type: ignore[import-untyped]

_ldap3: Any = ldap3
_exceptions: Any = _ldap3.core.exceptions
_search: Any = _ldap3.operation.search

_POLICY_CONTROL: Final = "1.3.6.1.4.1.42.2.27.8.5.1"
_UNBIND_SECONDS: Final = 0.2
_ANY_ENTRY: Final = "(objectClass=*)"
_NO_ATTRIBUTES: Final = "1.1"
_SCOPES: Final = {"base": 0, "one": 1, "sub": 2}
_JOIN_TAGS: Final[dict[Any, int]] = {_search.AND: 0xA0, _search.OR: 0xA1, _search.NOT: 0xA2}
_COMPARISON_TAGS: Final[dict[Any, int]] = {
    _search.MATCH_EQUAL: 0xA3,
    _search.MATCH_GREATER_OR_EQUAL: 0xA5,
    _search.MATCH_LESS_OR_EQUAL: 0xA6,
    _search.MATCH_APPROX: 0xA8,
}
_VALUE_ERRORS: Final = (
    _exceptions.LDAPInvalidDnError,
    _exceptions.LDAPInvalidFilterError,
    _exceptions.LDAPInvalidValueError,
    _exceptions.LDAPAttributeError,
    _exceptions.LDAPObjectClassError,
    _exceptions.LDAPPasswordIsMandatoryError,
    _exceptions.LDAPUserNameIsMandatoryError,
    _exceptions.LDAPUserNameNotAllowedError,
    _exceptions.LDAPSASLPrepError,
    UnicodeEncodeError,
)


class DirectoryConnection:
    """A connection to one server, for one thread at a time."""

    def __init__(self, address: ServerAddress, channel: DeadlineSocket) -> None:
        self._socket = channel
        self._message_id = 0
        self._ldap: Any = _ldap3.Connection(
            _server(address), auto_referrals=False, auto_range=False, check_names=False, return_empty_attributes=False
        )
        self._ldap.socket, self._ldap.closed, self._ldap.listening = channel, False, True

    @classmethod
    def open(
        cls,
        address: ServerAddress,
        tls: TlsSetup,
        deadline: Deadline,
        *,
        timeout: float,
        addresses: list[SocketAddress] | None = None,
    ) -> DirectoryConnection:
        """Connect within `timeout` seconds, and start TLS where the settings say so. Raises `ServerUnreachable`."""
        until = deadline.limited_to(timeout)
        channel = connect(addresses or resolve(address.host, address.port, address.path), until)
        channel.set_deadline(until)
        try:
            if address.secure:
                channel.wrap_tls(tls.context, address.host)
            connection = cls(address, channel)
            if tls.start_tls and not address.secure and not address.path:
                connection._start_tls(tls.context, address.host)
        except BaseException:
            channel.close()
            raise
        return connection

    def _start_tls(self, context: ssl.SSLContext, host: str) -> None:
        _, result = self._exchange("STARTTLS", ber.start_tls(), self._socket.deadline)
        if result.code != SUCCESS:
            raise ServerUnreachable("STARTTLS", f"the server refuses TLS: {result.text}")
        self._socket.wrap_tls(context, host)

    def _exchange(
        self, step: str, operation: bytes, deadline: Deadline, control: str = ""
    ) -> tuple[list[Any], LdapResult]:
        """Send a request, and let ldap3 decode the response. Raises `InvalidValue`, `ServerUnreachable`."""
        self._socket.set_deadline(deadline)
        self._message_id += 1
        reader: Any = self._ldap.strategy
        with _translate_errors(step):
            reader._outstanding = {self._message_id: {}}  # noqa: SLF001 - as ldap3's own `send` does
            self._socket.sendall(ber.message(self._message_id, operation, control))
            responses, outcome = reader.get_response(self._message_id)
        result = _read_result(outcome)
        if result.is_unavailable:
            raise ServerUnreachable(step, result.text)
        return list(responses), result

    @property
    def tls_version(self) -> str:
        """The version of TLS; empty for a connection in the clear."""
        return self._socket.tls_version

    def bind(self, dn: str, password: bytes, deadline: Deadline) -> LdapResult:
        """Bind as an entry, and return the result. Raises `InvalidValue`, `ServerUnreachable`."""
        if not dn or not password:  # a server takes either for an anonymous bind, which succeeds
            raise InvalidValue("a bind needs a DN and a password")
        return self._exchange("bind", ber.bind(dn, password), deadline, _POLICY_CONTROL)[1]

    def search(
        self,
        base: str,
        where: str,
        deadline: Deadline,
        *,
        scope: str = "sub",
        attributes: Iterable[str] = (),
        limit: int = 0,
    ) -> list[Entry]:
        """Return the entries that match the filter `where`, at most `limit` of them (0: all).

        References to other servers are ignored. Raises `InvalidValue`, `ServerRefused`, `ServerUnreachable`.
        """
        entries = self._search(base, where, deadline, scope, list(attributes), limit)
        return [self._complete(entry, deadline) if entry.is_partial else entry for entry in entries]

    def read(self, dn: str, deadline: Deadline, attributes: Iterable[str], where: str = "") -> Entry | None:
        """Return the entry of a DN, or None unless it exists and matches `where`. Raises as `search`."""
        try:
            entries = self.search(dn, where or _ANY_ENTRY, deadline, scope="base", attributes=attributes, limit=1)
        except ServerRefused as error:
            if error.code in {NO_SUCH_OBJECT, INVALID_DN}:
                return None
            raise
        return entries[0] if entries else None

    def _search(
        self, base: str, where: str, deadline: Deadline, scope: str, attributes: list[str], limit: int
    ) -> list[Entry]:
        seconds = math.ceil(deadline.seconds_left("search"))
        names = attributes or [_NO_ATTRIBUTES]
        operation = ber.search(base, _SCOPES[scope], limit, seconds, encode_filter(where), names)
        responses, result = self._exchange("search", operation, deadline)
        if result.code not in {SUCCESS, SIZE_LIMIT_EXCEEDED}:
            raise ServerRefused(result.code, result.text)
        entries = [_read_entry(each) for each in responses if each["type"] == "searchResEntry"]
        if result.code == SIZE_LIMIT_EXCEEDED and len(entries) < (limit or math.inf):
            raise ServerRefused(result.code, result.text)
        return entries

    def _complete(self, entry: Entry, deadline: Deadline) -> Entry:
        def read_attribute(name: str) -> Entry | None:
            return next(iter(self._search(entry.dn, _ANY_ENTRY, deadline, "base", [name], 1)), None)

        return complete_entry(entry, read_attribute)

    def close(self) -> None:
        """Send an unbind, and close the socket."""
        self._socket.set_deadline(Deadline.after(_UNBIND_SECONDS))
        with suppress(OSError, ServerUnreachable):
            self._socket.sendall(ber.message(self._message_id + 1, ber.UNBIND))
        self._socket.close()

    def drop(self) -> None:
        """Close the socket without an unbind: the connection is broken, or in the middle of an exchange."""
        self._socket.close()


@cache
def _server(address: ServerAddress) -> Any:
    return _ldap3.Server(address.host, address.port or None, get_info=_ldap3.NONE)


@contextmanager
def _translate_errors(step: str) -> Generator[None]:
    """Turn any exception of ldap3 into `InvalidValue` or `ServerUnreachable`."""
    try:
        yield
    except ServerUnreachable:
        raise
    except _VALUE_ERRORS as error:
        raise InvalidValue(str(error)) from None
    except _exceptions.LDAPSessionTerminatedByServerError:
        raise ServerUnreachable(step, "the server closed the connection") from None
    except (TimeoutError, _exceptions.LDAPResponseTimeoutError):
        raise ServerUnreachable(step, NO_RESPONSE) from None
    except (_exceptions.LDAPExceptionError, OSError) as error:
        timed_out = "timed out" in str(error)
        raise ServerUnreachable(step, NO_RESPONSE if timed_out else str(error)) from None
    except Exception as error:  # ldap3 and pyasn1 raise exceptions of any type for malformed bytes
        raise ServerUnreachable(step, f"the response is not LDAP ({type(error).__name__})") from None


def _read_result(outcome: Any) -> LdapResult:
    controls: Mapping[str, Any] = outcome.get("controls") or {}
    policy = controls.get(_POLICY_CONTROL)
    value = cast("Fields", policy).get("value") if isinstance(policy, dict) else None
    message = str(outcome["message"] or "").strip("\0\n ")
    return LdapResult(int(outcome["result"]), str(outcome["description"]), message, read_policy_error(value))


def _read_entry(response: Any) -> Entry:
    raw: Mapping[str, list[bytes] | None] = response["raw_attributes"]
    values = {name.lower(): [bytes(value) for value in held or ()] for name, held in raw.items()}
    return Entry(str(response["dn"]), values)


def escape_filter_value(value: str) -> str:
    """Escape a text for use in a filter. Raises `InvalidValue`."""
    with _invalid_values():
        return str(_ldap3.utils.conv.escape_filter_chars(value))


def escape_rdn_value(value: str) -> str:
    """Escape a text for use in a DN. Raises `InvalidValue`."""
    with _invalid_values():
        return str(_ldap3.utils.dn.escape_rdn(value))


def stable_id_filter(subject: str, attribute: str) -> str:
    """Return the filter that matches the entry with this stable id. Raises `InvalidValue`."""
    if attribute.lower() == "objectguid":
        with _invalid_values():
            return f"({attribute}={_ldap3.utils.conv.escape_bytes(uuid.UUID(subject).bytes_le)})"
    return f"({attribute}={escape_filter_value(subject)})"


def check_filter(where: str) -> None:
    """Raise `InvalidValue` unless the text is a filter."""
    encode_filter(where)


def encode_filter(where: str) -> bytes:
    """Return a filter in BER. Raises `InvalidValue`."""
    with _invalid_values():
        return _encode_node(_search.parse_filter(where, None, False, False, None, False).elements[0])


def _encode_node(node: Any) -> bytes:
    """Encode a node of a filter that ldap3 has parsed: a tag with an assertion or with elements."""
    if node.tag in _JOIN_TAGS:
        return ber.tlv(_JOIN_TAGS[node.tag], *map(_encode_node, node.elements))
    assertion: Fields = node.assertion
    if node.tag == _search.MATCH_PRESENT:
        return ber.tlv(0x87, str(assertion["attr"]).encode())
    if node.tag == _search.MATCH_SUBSTRING:
        places = ((0, [assertion.get("initial")]), (1, assertion.get("any", [])), (2, [assertion.get("final")]))
        parts = [(place, _encode_value(each)) for place, texts in places for each in texts if each]
        return ber.substrings(assertion["attr"], parts)
    value = _encode_value(assertion["value"])
    if node.tag == _search.MATCH_EXTENSIBLE:
        rule, attribute = assertion["matchingRule"] or "", assertion["attr"] or ""
        return ber.extensible(rule, attribute, value, dn_attributes=assertion["dnAttributes"])
    return ber.compare(_COMPARISON_TAGS[node.tag], assertion["attr"], value)


def _encode_value(value: Any) -> bytes:
    return bytes(_ldap3.protocol.convert.prepare_filter_for_sending(value))


@contextmanager
def _invalid_values() -> Generator[None]:
    """Turn what ldap3 raises for a value that it cannot express into `InvalidValue`."""
    try:
        yield
    except (_exceptions.LDAPExceptionError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise InvalidValue(str(error)) from None
