from __future__ import annotations

import pytest

from visado_ldap.errors import InvalidValue
from visado_ldap.protocol.distinguished_names import canonical_dn, is_below


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cn=a,dc=b", "CN=A, DC=B"),
        ("cn=a\\,b,dc=c", "cn=a\\2cb,dc=c"),
        ("cn=é,dc=c", "cn=\\c3\\a9,dc=c"),
        ("cn=a\\20,dc=b", "cn=a\\ ,dc=b"),
        ("cn=a=b,dc=c", "cn=a\\=b , dc=c"),
        ("cn=a+uid=b,dc=c", "CN=A + uid=b;dc=c"),
    ],
)
def test_spellings_of_one_dn_are_equal(one, other):
    assert canonical_dn(one) == canonical_dn(other)


@pytest.mark.parametrize("dn", ["", "x", "cn=", "=x", "cn=a,", "cn=a,,dc=b", "cn=a\\", "cn=a<b", "c n=x", "=", "-=x"])
def test_invalid_dns_raise(dn):
    with pytest.raises(InvalidValue):
        canonical_dn(dn)


def test_is_below():
    assert is_below("uid=a,OU=People,dc=b", "ou=people, dc=b")
    assert is_below("uid=a,dc=b", "")
    assert not is_below("uid=a,ou=people,dc=b", "ou=other,dc=b")
    assert not is_below("uid=a\\,ou=people,dc=b", "ou=people,dc=b")
    assert not is_below("uid=a,ou=xpeople,dc=b", "ou=people,dc=b")
