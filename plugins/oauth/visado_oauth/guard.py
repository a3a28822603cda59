"""Where outgoing requests may go: addresses are looked up here, and only what was looked at is connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_NAT64 = IPv6Network("64:ff9b::/96")


class Unreachable(Exception):
    """A request may not, or cannot, go there. The text is for operators and holds no secret."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far outgoing requests may go: https to public addresses, and what the settings add."""

    http_on_loopback: bool = False
    networks: tuple[Network, ...] = ()

    async def addresses(self, scheme: str, host: str, port: int) -> list[str]:
        """Look a host up. Raises `Unreachable` where one of its addresses is out of bounds."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise Unreachable(f"the host {host} is not known") from None
        shown = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        addresses = [ip_address(each.partition("%")[0]) for each in shown]
        if scheme == "http" and not self._only_loopback(addresses):
            raise Unreachable(f"{host} is to be asked over http, which is allowed on loopback alone, and by choice")
        if scheme not in ("http", "https"):
            raise Unreachable(f"{scheme} is not https")
        for address in addresses:
            if not self.allows(address):
                raise Unreachable(f"{host} has a private address; see [oauth] private_networks")
        return shown

    def _only_loopback(self, addresses: Iterable[Address]) -> bool:
        return self.http_on_loopback and all(each.is_loopback for each in addresses)

    def allows(self, address: Address) -> bool:
        """Whether an address is public, or one that the settings name."""
        if any(address.version == network.version and address in network for network in self.networks):
            return True
        if address.is_loopback:
            return self.http_on_loopback
        inner = _inside(address)
        if inner is not None:
            return self.allows(inner)
        return address.is_global and not address.is_multicast

    def check_url(self, url: str) -> None:
        """Refuse an address that is wrong as it stands, before anybody is asked. Raises `Unreachable`."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise Unreachable(f"{url[:200]!r} is no address") from None
        if "@" in parts.netloc:
            raise Unreachable("an address names no user")
        if not parts.hostname or port == 0:
            raise Unreachable(f"{url[:200]!r} is no address")
        plain = parts.scheme == "http" and self.http_on_loopback and _is_loopback(parts.hostname)
        if parts.scheme != "https" and not plain:
            raise Unreachable(f"{url[:200]!r} is not https")


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _inside(address: Address) -> IPv4Address | None:
    """Find the IPv4 address that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
