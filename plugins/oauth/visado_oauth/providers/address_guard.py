"""The address guard: which URLs and IP addresses requests to providers may go to (against SSRF)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from visado_oauth.errors import RequestBlocked

IpAddress: TypeAlias = IPv4Address | IPv6Address
IpNetwork: TypeAlias = IPv4Network | IPv6Network
_NAT64: Final = IPv6Network("64:ff9b::/96")
_IPV4_MASK: Final = 0xFFFFFFFF
_MAX_QUOTED_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Allows https to public addresses, and what the settings add: networks, and this machine (also over http)."""

    http_on_loopback: bool = False
    networks: tuple[IpNetwork, ...] = ()

    async def resolve(self, scheme: str, host: str, port: int) -> list[str]:
        """Return the IP addresses of a host. Raises `RequestBlocked` unless every one of them is allowed.

        The caller must connect to one of these addresses: a second look-up could return another.
        """
        try:
            entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise RequestBlocked(f"the host name {host} is unknown") from None
        texts = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        addresses = [ip_address(each.partition("%")[0]) for each in texts]
        if scheme == "http" and not self._only_loopback(addresses):
            raise RequestBlocked(f"http to {host} is allowed on loopback only, with [oauth] http_on_loopback")
        if scheme not in ("http", "https"):
            raise RequestBlocked(f"{scheme} is not https")
        for address in addresses:
            if not self.allows(address):
                raise RequestBlocked(f"{host} has a private address; see [oauth] private_networks")
        return texts

    def _only_loopback(self, addresses: Iterable[IpAddress]) -> bool:
        return self.http_on_loopback and all(each.is_loopback for each in addresses)

    def allows(self, address: IpAddress) -> bool:
        """Return whether an address is public, or allowed by the settings."""
        if any(address.version == network.version and address in network for network in self.networks):
            return True
        if address.is_loopback:
            return self.http_on_loopback
        embedded = _embedded_ipv4(address)
        if embedded is not None:
            return self.allows(embedded)
        return address.is_global and not address.is_multicast

    def check_url(self, url: str) -> None:
        """Raise `RequestBlocked` for a URL that is not allowed, without a look-up of its host name."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise RequestBlocked(f"{url[:_MAX_QUOTED_CHARACTERS]!r} is not a URL") from None
        if "@" in parts.netloc:
            raise RequestBlocked("a URL must not contain a user name")
        if not parts.hostname or port == 0:
            raise RequestBlocked(f"{url[:_MAX_QUOTED_CHARACTERS]!r} is not a URL")
        plain = parts.scheme == "http" and self.http_on_loopback and _is_loopback(parts.hostname)
        if parts.scheme != "https" and not plain:
            raise RequestBlocked(f"{url[:_MAX_QUOTED_CHARACTERS]!r} is not https")


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _embedded_ipv4(address: IpAddress) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address is translated to, or None."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & _IPV4_MASK)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
