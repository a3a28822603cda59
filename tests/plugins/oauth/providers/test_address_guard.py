from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from visado_oauth.errors import RequestBlocked
from visado_oauth.providers.address_guard import AddressGuard


def test_private_addresses_are_blocked():
    guard = AddressGuard()
    for each in (
        "127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "::1", "fe80::1", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "255.255.255.255",
    ):  # fmt: skip
        assert not guard.allows(ip_address(each)), each
    assert guard.allows(ip_address("93.184.216.34"))
    assert guard.allows(ip_address("2606:4700::1111"))
    assert AddressGuard(networks=(ip_network("10.0.0.0/8"),)).allows(ip_address("10.0.0.1"))
    for url in ("http://a.example", "https://u:p@a.example", "ftp://a.example", "https://", "https://a:99999/"):
        with pytest.raises(RequestBlocked):
            guard.check_url(url)
