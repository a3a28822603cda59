"""Proxies that may say where a request comes from, and what they say: `X-Forwarded-*`, and `Forwarded` (RFC 7239).

The headers of any other peer do not count. A client can write the start of these headers and a proxy their end, so
they are read from the right, and never further than the first address that is not a trusted proxy's.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Final, TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

UNIX: Final = "unix"
"""The word of `[server] trusted_proxies` for peers without an address, which connect over a Unix socket."""
_MAX_HOPS: Final = 32
_MAX_ADDRESS_CHARACTERS: Final = 64
_MAX_FORWARDED_CHARACTERS: Final = 4_096
"""How much of the end of all `Forwarded` headers is read."""
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_HOST: Final = re.compile(r"[A-Za-z0-9._:\[\]-]{1,261}")
# One element of `Forwarded` in a reversed text: the quotes that a proxy wrote match, whatever stands before them.
_REVERSED_ELEMENT: Final = re.compile(r'((?:"[^"]*"|[^",])*+)(?:,|$)')
_PAIR: Final = re.compile(r'\s*+(?:([A-Za-z0-9_-]++)=(?:"([^"\\]*+)"|([^\s";,\\]*+)))?+\s*+(?:;|$)')


@dataclass(frozen=True, slots=True)
class ForwardedFacts:
    """What trusted proxies say of a request. None is what they do not say, or what they contradict each other about.

    `address` is empty where they name nobody that has an address: then the client is the nearest proxy itself.
    `is_local`: every address that they name, up to the client's, is a loopback address. `host` is the header `Host`
    as the client sent it.
    """

    address: str | None = None
    scheme: str | None = None
    host: str | None = None
    is_local: bool = False


class TrustedProxies:
    """The proxies of `[server] trusted_proxies`: addresses, networks, and `unix`."""

    def __init__(self, entries: Iterable[str]) -> None:
        listed = frozenset(entries)
        self._trusts_unix = UNIX in listed
        self._networks = [ipaddress.ip_network(entry) for entry in listed - {UNIX}]

    def __bool__(self) -> bool:
        return self._trusts_unix or bool(self._networks)

    def trust(self, client: Sequence[Any] | None) -> bool:
        """Return whether the peer of a connection, as the ASGI scope names it, is a trusted proxy."""
        if not client or not client[0]:
            return self._trusts_unix
        address = read_address(client[0])
        return address is not None and self._contain(address)

    def read(self, headers: Headers) -> ForwardedFacts:
        """Return what the headers of a trusted peer say.

        Where `X-Forwarded-*` and `Forwarded` contradict each other about a fact, neither counts.
        """
        said = [facts for facts in (self._read_x(headers), self._read_rfc(headers)) if facts is not None]
        address = _agreed(facts.address for facts in said)
        return ForwardedFacts(
            address,
            _agreed(facts.scheme for facts in said),
            _agreed(facts.host for facts in said),
            is_local=bool(address) and all(facts.is_local for facts in said if facts.address is not None),
        )

    def _read_x(self, headers: Headers) -> ForwardedFacts | None:
        """Return what `X-Forwarded-For`, `-Proto` and `-Host` say; None where there is none of them."""
        hops, schemes, hosts = (_last_members(headers, b"x-forwarded-" + name) for name in (b"for", b"proto", b"host"))
        if not (hops or schemes or hosts):
            return None
        address, depth, is_local = self._walk(hops) if hops else (None, 1, False)
        return ForwardedFacts(address, _scheme(_member(schemes, depth)), _host(_member(hosts, depth)), is_local)

    def _read_rfc(self, headers: Headers) -> ForwardedFacts | None:
        """Return what `Forwarded` says; None where there is none."""
        elements = list(islice(_elements(headers), _MAX_HOPS))
        if not elements:
            return None
        address: str | None
        if elements[0] and "for" not in elements[0]:  # a proxy that names the host and the protocol alone
            address, depth, is_local = None, 1, False
        else:
            address, depth, is_local = self._walk([element.get("for", "") for element in elements])
        told = elements[depth - 1]
        return ForwardedFacts(address, _scheme(told.get("proto")), _host(told.get("host")), is_local)

    def _walk(self, hops: list[str]) -> tuple[str, int, bool]:
        """Walk from the nearest hop to the first that is no trusted proxy.

        Return its address, how many hops that are, and whether all are loopback addresses. What is no address ends the
        walk at the trusted proxy before it, or with an empty address at the peer.
        """
        last, is_local = "", True
        for depth, text in enumerate(hops, 1):
            address = read_address(text)
            if address is None:
                return last, depth, False
            last, is_local = str(address), is_local and address.is_loopback
            if not self._contain(address):
                return last, depth, is_local
        return last, len(hops), is_local

    def _contain(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


@lru_cache(1_024)
def _parse_address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def read_address(text: str) -> Address | None:
    """Return the address in a text, without a port, brackets, quotes or an IPv6 zone; None where there is none.

    An IPv4 address that is mapped to IPv6 is returned as the IPv4 address.
    """
    if len(text) > _MAX_ADDRESS_CHARACTERS:
        return None
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return _parse_address(text.partition("%")[0])


def _last_members(headers: Headers, name: bytes) -> list[str]:
    """Return the members of a comma-separated header, the last one first, of all headers of this name in order."""
    values = [value for each, value in headers if each == name]
    if not values:
        return []
    members = b",".join(values).decode("latin-1").rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]
    return [member for member in (each.strip() for each in reversed(members)) if member]


def _elements(headers: Headers) -> Iterator[dict[str, str]]:
    """Yield the elements of all `Forwarded` headers, the last one first; an empty one for what cannot be read."""
    values = [value for name, value in headers if name == b"forwarded"]
    if not values:
        return
    text = b",".join(values).decode("latin-1")
    reversed_text = text[: -_MAX_FORWARDED_CHARACTERS - 1 : -1]
    position = 0
    while position < len(reversed_text):
        match = _REVERSED_ELEMENT.match(reversed_text, position)
        if match is None:
            yield {}
            return
        position = match.end()
        if match[1].strip():
            yield _pairs(match[1][::-1])


def _pairs(element: str) -> dict[str, str]:
    """Return the parameters of an element of `Forwarded`; none where the element cannot be read."""
    pairs: dict[str, str] = {}
    position = 0
    while position < len(element):
        match = _PAIR.match(element, position)
        if match is None:
            return {}
        position, name = match.end(), (match[1] or "").lower()
        if name in pairs:
            return {}
        if name:
            pairs[name] = match[2] if match[2] is not None else match[3]
    return pairs


def _member(members: list[str], depth: int) -> str | None:
    """Return the member that belongs to a hop. Where there are fewer, one proxy spoke for those behind it."""
    return members[min(depth, len(members)) - 1] if members else None


def _scheme(text: str | None) -> str | None:
    return None if text is None else _SCHEMES.get(text.lower())


def _host(text: str | None) -> str | None:
    return text if text is not None and _HOST.fullmatch(text) else None


def _agreed(texts: Iterable[str | None]) -> str | None:
    """Return the only text among these, or None."""
    found = {text for text in texts if text is not None}
    return found.pop() if len(found) == 1 else None
