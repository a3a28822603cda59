"""Keys and QR codes: the codes are those of RFC 6238, and the URI holds the whole key."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from visado_totp.authenticator import TotpKey, qr_data_uri, qr_text

from .phone import Phone

RFC = TotpKey(base64.b32encode(b"12345678901234567890").decode(), digits=8)
VECTORS = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}


@pytest.mark.parametrize(("seconds", "code"), VECTORS.items())
def test_the_vectors_of_the_rfc(seconds, code):
    assert RFC.matching_steps(code, seconds * 1_000, 0) == [seconds // 30]
    assert RFC.matching_steps(code, (seconds + 30) * 1_000, 0) == []
    assert RFC.matching_steps(code, (seconds + 30) * 1_000, 1) == [seconds // 30]
    assert RFC.matching_steps(code[:-1], seconds * 1_000, 1) == []


def test_the_address_says_it_all():
    phone = Phone(TotpKey.generate(8, 60).uri("Größe & Co", "ann/ü@example.com"))
    assert (phone.issuer, phone.label) == ("Größe & Co", "/Größe & Co:ann/ü@example.com")
    assert (phone.digits, phone.period) == (8, 60)
    assert len(phone.secret) == 32


def test_the_longest_names_fit_into_a_picture():
    uri = TotpKey.generate(8, 60).uri("\U0001f511" * 32, "\U0001f511" * 1_000)
    assert qr_data_uri(uri).startswith("data:image/png;base64,")
    assert len(qr_text(uri).splitlines()) > 20


def test_the_secret_is_not_in_the_repr():
    key = TotpKey.generate(6, 30)
    assert key.secret not in repr(key)
    assert repr(replace(key, digits=8)) == "TotpKey(digits=8, period=30)"
