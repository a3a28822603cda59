"""One server of a directory: the one module that knows ldap3.

Owns what is said on a connection: STARTTLS, binds, searches; and LDAP's spellings: filters, DNs, binary values.
Does not own which server is asked (`servers`), what is asked (`lookup`), nor sockets (`wire`).

ldap3 reads filters, escapes and answers. It is kept from what it does unasked: it opens no socket, checks no
certificate (`wire` does), follows no referral, reads no schema, retries nothing, and never gets a password, which it
would fold through SASLprep: requests are made here, in BER.
"""

from __future__ import annotations

import math
import re
import ssl
import uuid
import warnings
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Final, cast

from visado import Fields
from visado_ldap import ber
from visado_ldap.entry import RANGE, Endpoint, Entry, Security
from visado_ldap.errors import Invalid, Refused, Unreachable
from visado_ldap.refusals import INVALID_DN, NO_SUCH_OBJECT, SIZE_LIMIT, SUCCESS, Answer, policy_error
from visado_ldap.wire import SILENT, Address, Deadline, Wire, connect, resolve

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of 2021, it uses names that pyasn1 has renamed since
    import ldap3  # type: ignore[import-untyped]

_ldap3: Any = ldap3
_exceptions: Any = _ldap3.core.exceptions
_search: Any = _ldap3.operation.search

_POLICY_CONTROL: Final = "1.3.6.1.4.1.42.2.27.8.5.1"
_GOOD_BYE: Final = 0.2
_SCOPES: Final = {"base": 0, "one": 1, "sub": 2}
_JOINED: Final[dict[Any, int]] = {_search.AND: 0xA0, _search.OR: 0xA1, _search.NOT: 0xA2}
_COMPARED: Final[dict[Any, int]] = {
    _search.MATCH_EQUAL: 0xA3,
    _search.MATCH_GREATER_OR_EQUAL: 0xA5,
    _search.MATCH_LESS_OR_EQUAL: 0xA6,
    _search.MATCH_APPROX: 0xA8,
}
_MOST_RANGES: Final = 1_000
_MISTAKES: Final = (
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


class Connection:
    """A connection to one server, for one thread at a time."""

    def __init__(self, endpoint: Endpoint, wire: Wire) -> None:
        self._wire = wire
        self._sent = 0
        self._ldap: Any = _ldap3.Connection(
            _server(endpoint), auto_referrals=False, auto_range=False, check_names=False, return_empty_attributes=False
        )
        self._ldap.socket, self._ldap.closed, self._ldap.listening = wire, False, True

    def _exchange(self, step: str, operation: bytes, deadline: Deadline, control: str = "") -> tuple[list[Any], Answer]:
        """Send a request, and let ldap3 read what comes back. Raises `Invalid`, `Unreachable`."""
        self._wire.within(deadline)
        self._sent += 1
        reader: Any = self._ldap.strategy
        with _translated(step):
            reader._outstanding = {self._sent: {}}  # noqa: SLF001 - what its `send` would have noted
            self._wire.sendall(ber.message(self._sent, operation, control))
            responses, result = reader.get_response(self._sent)
        answer = _answer(result)
        if answer.away:
            raise Unreachable(step, answer.words)
        return list(responses), answer

    @classmethod
    def open(
        cls,
        endpoint: Endpoint,
        security: Security,
        deadline: Deadline,
        *,
        timeout: float,
        addresses: list[Address] | None = None,
    ) -> Connection:
        """Connect, and secure the connection as it is configured. Raises `Unreachable`."""
        until = deadline.at_most(timeout)
        wire = connect(addresses or resolve(endpoint.host, endpoint.port, endpoint.path), until)
        wire.within(until)
        try:
            if endpoint.secure:
                wire.secure(security.context, endpoint.host)
            made = cls(endpoint, wire)
            if security.start_tls and not endpoint.secure and not endpoint.path:
                made._start_tls(security.context, endpoint.host)
        except BaseException:
            wire.close()
            raise
        return made

    def _start_tls(self, context: ssl.SSLContext, host: str) -> None:
        _, answer = self._exchange("STARTTLS", ber.start_tls(), self._wire.deadline)
        if answer.code != SUCCESS:
            raise Unreachable("STARTTLS", f"the server refuses TLS: {answer.words}")
        self._wire.secure(context, host)

    @property
    def secured(self) -> str:
        """The version of TLS; empty without."""
        return self._wire.secured

    def bind(self, dn: str, password: bytes, deadline: Deadline) -> Answer:
        """Bind as an entry. Raises `Invalid`, `Unreachable`."""
        if not dn or not password:  # a server takes either for a wish to be nobody, and says yes
            raise Invalid("a bind needs a name and a password")
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
        """The entries that fit a filter, at most `limit` of them. Raises `Invalid`, `Refused`, `Unreachable`.

        References to other servers are left alone.
        """
        entries = self._search(base, where, deadline, scope, list(attributes), limit)
        return [self._whole(entry, deadline) if entry.ranged else entry for entry in entries]

    def read(self, dn: str, deadline: Deadline, attributes: Iterable[str], where: str = "") -> Entry | None:
        """The entry of this DN, if it is there and fits the filter. Raises as `search`."""
        try:
            found = self.search(dn, where or "(objectClass=*)", deadline, scope="base", attributes=attributes, limit=1)
        except Refused as error:
            if error.code in {NO_SUCH_OBJECT, INVALID_DN}:
                return None
            raise
        return found[0] if found else None

    def _search(
        self, base: str, where: str, deadline: Deadline, scope: str, attributes: list[str], limit: int
    ) -> list[Entry]:
        seconds = math.ceil(deadline.left("search"))
        asked = ber.search(base, _SCOPES[scope], limit, seconds, filter_of(where), attributes or ["1.1"])
        response, answer = self._exchange("search", asked, deadline)
        if answer.code not in {SUCCESS, SIZE_LIMIT}:
            raise Refused(answer.code, answer.words)
        entries = [_entry(each) for each in response if each["type"] == "searchResEntry"]
        if answer.code == SIZE_LIMIT and len(entries) < (limit or math.inf):
            raise Refused(answer.code, answer.words)
        return entries

    def _whole(self, entry: Entry, deadline: Deadline) -> Entry:
        """Read what a server holds back of attributes with very many values."""
        values = {name: list(held) for name, held in entry.values.items()}
        for name in entry.values:
            found = RANGE.fullmatch(name)
            if found is None:
                continue
            plain, held = found["name"], values.pop(name)
            for _ in range(_MOST_RANGES):
                if found is None or found["last"] == "*":
                    break
                asked = f"{plain};range={int(found['last']) + 1}-*"
                found, more = self._range(entry.dn, asked, deadline)
                held += more
            values[plain] = [*values.get(plain, []), *held]
        return Entry(entry.dn, values)

    def _range(self, dn: str, asked: str, deadline: Deadline) -> tuple[re.Match[str] | None, list[bytes]]:
        for entry in self._search(dn, "(objectClass=*)", deadline, "base", [asked], 1):
            for name, held in entry.values.items():
                found = RANGE.fullmatch(name)
                if found is not None:
                    return found, held
        return None, []

    def close(self) -> None:
        """Say good-bye, and let go."""
        self._wire.within(Deadline.after(_GOOD_BYE))
        with suppress(OSError, Unreachable):
            self._wire.sendall(ber.message(self._sent + 1, ber.UNBIND))
        self._wire.close()

    def drop(self) -> None:
        """Let go without a word: the connection is broken, or in the middle of something."""
        self._wire.close()


@cache
def _server(endpoint: Endpoint) -> Any:
    return _ldap3.Server(endpoint.host, endpoint.port or None, get_info=_ldap3.NONE)


@contextmanager
def _translated(step: str) -> Generator[None]:
    """Turn whatever ldap3 raises into `Invalid` or `Unreachable`."""
    try:
        yield
    except Unreachable:
        raise
    except _MISTAKES as error:
        raise Invalid(str(error)) from None
    except _exceptions.LDAPSessionTerminatedByServerError:
        raise Unreachable(step, "the server closed the connection") from None
    except (TimeoutError, _exceptions.LDAPResponseTimeoutError):
        raise Unreachable(step, SILENT) from None
    except (_exceptions.LDAPExceptionError, OSError) as error:
        timed_out = "timed out" in str(error)
        raise Unreachable(step, SILENT if timed_out else str(error)) from None
    except Exception as error:  # ldap3 decodes what it gets with trust, and pyasn1 raises what it likes
        raise Unreachable(step, f"the answer is no LDAP ({type(error).__name__})") from None


def _answer(result: Any) -> Answer:
    controls: Mapping[str, Any] = result.get("controls") or {}
    policy = controls.get(_POLICY_CONTROL)
    value = cast("Fields", policy).get("value") if isinstance(policy, dict) else None
    message = str(result["message"] or "").strip("\0\n ")
    return Answer(int(result["result"]), str(result["description"]), message, policy_error(value))


def _entry(response: Any) -> Entry:
    raw: Mapping[str, list[bytes] | None] = response["raw_attributes"]
    values = {name.lower(): [bytes(value) for value in held or ()] for name, held in raw.items()}
    return Entry(str(response["dn"]), values)


def filter_value(value: str) -> str:
    """Escape a text for a place in a filter. Raises `Invalid`."""
    with _checked():
        return str(_ldap3.utils.conv.escape_filter_chars(value))


def filter_bytes(value: bytes) -> str:
    """Escape a binary value for a place in a filter."""
    return str(_ldap3.utils.conv.escape_bytes(value))


def rdn_value(value: str) -> str:
    """Escape a text for a place in a DN. Raises `Invalid`."""
    with _checked():
        return str(_ldap3.utils.dn.escape_rdn(value))


def filter_of(where: str) -> bytes:
    """The bytes of a filter. Raises `Invalid`."""
    with _checked():
        return _filter(_search.parse_filter(where, None, False, False, None, False).elements[0])


def _filter(node: Any) -> bytes:
    """Spell what ldap3 has read: its nodes are made of tags, assertions and elements."""
    if node.tag in _JOINED:
        return ber.tlv(_JOINED[node.tag], *map(_filter, node.elements))
    said: Fields = node.assertion
    if node.tag == _search.MATCH_PRESENT:
        return ber.tlv(0x87, str(said["attr"]).encode())
    if node.tag == _search.MATCH_SUBSTRING:
        kinds = ((0, [said.get("initial")]), (1, said.get("any", [])), (2, [said.get("final")]))
        return ber.substrings(said["attr"], [(kind, _value(each)) for kind, parts in kinds for each in parts if each])
    value = _value(said["value"])
    if node.tag == _search.MATCH_EXTENSIBLE:
        rule, attribute = said["matchingRule"] or "", said["attr"] or ""
        return ber.extensible(rule, attribute, value, of_dn=said["dnAttributes"])
    return ber.compare(_COMPARED[node.tag], said["attr"], value)


def _value(said: Any) -> bytes:
    return bytes(_ldap3.protocol.convert.prepare_filter_for_sending(said))


def check_filter(where: str) -> None:
    """Raise `Invalid` unless this is a filter."""
    filter_of(where)


@contextmanager
def _checked() -> Generator[None]:
    try:
        yield
    except (_exceptions.LDAPExceptionError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise Invalid(str(error)) from None


def id_filter(subject: str, attribute: str) -> str:
    """The filter that finds an entry by its stable id. Raises `Invalid`."""
    if attribute.lower() == "objectguid":
        with _checked():
            return f"({attribute}={filter_bytes(uuid.UUID(subject).bytes_le)})"
    return f"({attribute}={filter_value(subject)})"
