from __future__ import annotations

import time

import pytest

from visado.web.forwarded import TrustedProxies, read_address

PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1"])


def read(*listed):
    """What the proxies say in these headers: address, scheme, host. An empty address is the peer's."""
    facts = PROXIES.read([(name.encode(), value.encode("latin-1")) for name, value in listed])
    return facts.address, facts.scheme, facts.host


def x(*values):
    return read(*(("x-forwarded-for", value) for value in values))[0]


def rfc(*values):
    return read(*(("forwarded", value) for value in values))[0]


@pytest.mark.parametrize(
    ("values", "address"),
    [
        (["192.0.2.7"], "192.0.2.7"), (["6.6.6.6, 192.0.2.7"], "192.0.2.7"), (["6.6.6.6, 192.0.2.7, 10.1.1.1"], "192.0.2.7"), (["6.6.6.6", "192.0.2.7", "10.1.1.1"], "192.0.2.7"),
        (["192.0.2.7", "6.6.6.6, 10.1.1.1"], "6.6.6.6"), (["10.1.1.1"], "10.1.1.1"), (["10.9.9.9, 10.1.1.1"], "10.9.9.9"), (["192.0.2.7:1234"], "192.0.2.7"), (["[2001:db8::1]:1234"], "2001:db8::1"),
        (["[2001:db8::1]"], "2001:db8::1"), (["2001:DB8:0::1"], "2001:db8::1"), (['"[2001:db8::1]:80"'], "2001:db8::1"), (["fe80::1%eth0"], "fe80::1"), (["[fe80::1%25eth0]:1"], "fe80::1"),
        (["::ffff:192.0.2.7"], "192.0.2.7"), (["192.0.2.7, ::ffff:10.1.1.1"], "192.0.2.7"), (["192.0.2.7,2001:db8:1::5"], "192.0.2.7"), (["192.0.2.7,"], "192.0.2.7"), ([" , 192.0.2.7 ,, "], "192.0.2.7"),
        (["192.0.2.7, unknown"], ""), (["192.0.2.7, unknown, 10.1.1.1"], "10.1.1.1"), (["192.0.2.7, _hidden, 10.1.1.1, 10.2.2.2"], "10.1.1.1"), (["evil.example"], ""), (["localhost"], ""),
        (["192.0.2.7.8"], ""), (["192.0.2.07"], ""), (["3221225991"], ""), (["0x7f.1"], ""), (["192.0.2.7;10.1.1.1"], ""), (["\xe9"], ""), (["١٢٧.0.0.1".encode().decode("latin-1")], ""), (["1" * 100], ""),
        ([""], None), ([" , ,"], None), ([], None), (["192.0.2.7, :"], ""), (["["], ""), (["]:["], ""), (["%"], ""), (["::%"], "::"),
    ],
)  # fmt: skip
def test_x_forwarded_for_is_read_from_the_right_to_the_first_that_is_not_trusted(values, address):
    assert x(*values) == address


@pytest.mark.parametrize(
    ("values", "address"),
    [
        (["for=192.0.2.7"], "192.0.2.7"), (["FOR=192.0.2.7;proto=http;by=10.0.0.1"], "192.0.2.7"), (["for=6.6.6.6, for=192.0.2.7"], "192.0.2.7"), (["for=6.6.6.6", "for=192.0.2.7,for=10.1.1.1"], "192.0.2.7"),
        (['for="[2001:db8::1]:4711"'], "2001:db8::1"), (['for="192.0.2.7:80" ; by=_me'], "192.0.2.7"), (["for=192.0.2.7;"], "192.0.2.7"), (["for=192.0.2.7;;proto=https"], "192.0.2.7"),
        (["for=192.0.2.7, for=unknown"], ""), (["for=192.0.2.7, for=_obfuscated"], ""), (["for=192.0.2.7, for=_a, for=10.1.1.1"], "10.1.1.1"), (['for="unknown:80"'], ""),
        (['for=";, for=192.0.2.7'], "192.0.2.7"), (['for=6.6.6.6;x="a, for=192.0.2.7'], "192.0.2.7"), (['for=6.6.6.6;x="a", for=192.0.2.7'], "192.0.2.7"), (['x=", for=192.0.2.7", for=10.1.1.1'], "10.1.1.1"),
        (["for=192.0.2.7;for=6.6.6.6"], ""), (["for=192.0.2.7 proto=http"], ""), (["192.0.2.7"], ""), (['for="192.0.2.7'], ""), (['for=192.0.2.7"'], ""), (["for=192.0.2.7;x"], ""), (['for="192.0.2.7\\""'], ""),
        (["for = 192.0.2.7"], ""), (["proto=https"], None), (["for=192.0.2.7, proto=https"], None), (["for=192.0.2.7, proto=https, for=10.1.1.1"], "10.1.1.1"), ([""], None), ([",, ,"], None), (["for="], ""),
        (["x" * 5_000 + ", for=192.0.2.7"], "192.0.2.7"), (["for=192.0.2.7," + " " * 5_000 + "for=10.1.1.1"], "10.1.1.1"),
    ],
)  # fmt: skip
def test_forwarded_is_read_from_the_right_to_the_first_that_is_not_trusted(values, address):
    assert rfc(*values) == address


@pytest.mark.parametrize(
    ("listed", "facts"),
    [
        ([("x-forwarded-proto", "https")], (None, "https", None)), ([("x-forwarded-proto", "WSS")], (None, "https", None)), ([("x-forwarded-proto", "javascript")], (None, None, None)),
        ([("x-forwarded-proto", "https, http")], (None, "http", None)), ([("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")], (None, "http", None)),
        ([("x-forwarded-for", "192.0.2.7, 10.1.1.1"), ("x-forwarded-proto", "ws, https, http"), ("x-forwarded-host", "evil.example, a.example, inner")], ("192.0.2.7", "https", "a.example")),
        ([("x-forwarded-for", "192.0.2.7, 10.1.1.1"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "a.example:8443")], ("192.0.2.7", "https", "a.example:8443")),
        ([("x-forwarded-host", "[::1]:80")], (None, None, "[::1]:80")), ([("x-forwarded-host", "a/b")], (None, None, None)), ([("x-forwarded-host", "a@b")], (None, None, None)), ([("x-forwarded-host", "\xe9")], (None, None, None)),
        ([("x-forwarded-host", "a" * 300)], (None, None, None)), ([("forwarded", 'for=192.0.2.7;proto=https;host="a:1", for=10.1.1.1;proto=http;host=inner')], ("192.0.2.7", "https", "a:1")),
        ([("forwarded", "for=1.1.1.1;proto=https;host=evil, for=192.0.2.7")], ("192.0.2.7", None, None)), ([("forwarded", "for=unknown;proto=https;host=a")], ("", "https", "a")),
        # Both kinds: what they agree on, and what one says alone, counts.
        ([("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.7;proto=https")], ("192.0.2.7", "https", None)), ([("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.8")], (None, None, None)),
        ([("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=unknown")], (None, None, None)), ([("x-forwarded-proto", "https"), ("forwarded", "for=192.0.2.7;proto=http")], ("192.0.2.7", None, None)),
        ([("x-forwarded-host", "a"), ("forwarded", "for=192.0.2.7;host=b")], ("192.0.2.7", None, None)), ([("x-forwarded-for", "192.0.2.7"), ("forwarded", "nonsense")], (None, None, None)),
    ],
)  # fmt: skip
def test_the_scheme_and_the_host_are_those_that_the_outermost_trusted_proxy_saw(listed, facts):
    assert read(*listed) == facts


def test_trusted_peers_are_those_of_the_setting_and_unix_is_for_peers_without_an_address():
    assert PROXIES.trust(("10.255.0.1", 1))
    assert PROXIES.trust(["::ffff:10.0.0.1", 1])
    assert PROXIES.trust(("2001:db8:1::9", 1))
    for client in (("11.0.0.1", 1), ("testclient", 1), ("unix", 0), ("", 0), None, ("127.0.0.2", 1), ("a" * 10_000, 1)):
        assert not PROXIES.trust(client)
    unix = TrustedProxies(["unix"])
    assert unix.trust(None)
    assert unix.trust(("", 0))
    assert not unix.trust(("127.0.0.1", 1))
    assert not unix.trust(("unix", 1))
    assert (bool(unix), bool(PROXIES), bool(TrustedProxies([]))) == (True, True, False)


MANY = 10_000
HOSTILE = [
    ",".join(f"10.{n >> 8 & 255}.{n & 255}.1" for n in range(MANY)), ",".join(["6.6.6.6"] * MANY), "," * MANY, " " * 60_000, "[" * MANY, '"' * MANY, '"' * (MANY + 1), "\\" * MANY, ";" * MANY,
    "for=" * MANY, "for=10.0.0.1," * MANY, 'for="10.0.0.1",' * MANY, "=" * MANY, "for=" + " " * MANY + "x", "for" + " " * MANY + "=1", "a=b;" * MANY, 'a="' * MANY, "%" * MANY, ":" * MANY, "\xff" * MANY, "1" * MANY,
    "fe80::1%" + "x" * 55, "for=_" + "a" * MANY, "\t" * MANY + ";", "for=10.0.0.1" + " " * MANY, "\0" * MANY, "for=10.0.0.1;" + "\t;" * MANY,
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_headers_are_read_in_bounded_work(value):
    raw = value.encode("latin-1")
    listed = [(name, raw) for name in (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded")]
    many = [(name, raw[:8]) for name, _ in listed for _ in range(MANY // 4)]
    for headers in (listed, many, [*listed, (b"x-forwarded-for", b"192.0.2.7"), (b"forwarded", b"for=192.0.2.7")]):
        began = time.process_time()
        facts = PROXIES.read(headers)
        assert time.process_time() - began < 0.05
    assert facts.address == "192.0.2.7"


def test_an_address_is_read_without_what_surrounds_it():
    assert str(read_address(" 192.0.2.7 ")) == "192.0.2.7"
    assert read_address("") is None
