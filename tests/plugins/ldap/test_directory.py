from __future__ import annotations

import pytest

from visado_ldap import directory
from visado_ldap.directory import _exceptions, _translated
from visado_ldap.dn import canonical, is_below
from visado_ldap.entry import Entry, stable_id
from visado_ldap.errors import Invalid, Unreachable
from visado_ldap.refusals import Answer, policy_error

AD = "80090308: LdapErr: DSID-0C09041C, comment: AcceptSecurityContext error, data {}, v4563"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("525", ""),
        ("52e", ""),
        ("530", "hours"),
        ("531", "workstation"),
        ("532", "password expired"),
        ("533", "disabled"),
        ("569", "logon type"),
        ("701", "expired"),
        ("773", "must change"),
        ("775", ""),
        ("1", ""),
    ],
)
def test_sub_codes(code, kind):
    refusal = Answer(49, "invalidCredentials", AD.format(code)).refusal()
    assert refusal.kind == kind
    assert code in refusal.words
    assert Answer(53, "unwillingToPerform", AD.format(code)).refusal().kind == ""


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (b"", None),
        (b"\x30\x00", None),
        (b"\x30\x03\x81\x01\x00", 0),
        (b"\x30\x03\x81\x01\x02", 2),
        (b"\x30\x08\xa0\x03\x80\x01\x05\x81\x01\x01", 1),
        (b"\x30\x05\xa0\x03\x80\x01\x05", None),
        (b"\xff" * 20, None),
        (b"\x30\x80\x81", None),
        (None, None),
        ("text", None),
    ],
)
def test_password_policies(value, error):
    assert policy_error(value) == error


def test_answers_of_password_policies():
    assert Answer(0, "success").refusal() is None
    assert Answer(0, "success", policy=1).refusal() is None
    assert Answer(0, "success", policy=2).refusal().kind == "must change"
    assert Answer(49, "x", policy=0).refusal().kind == "password expired"
    assert Answer(49, "x", policy=1).refusal().kind == ""
    assert Answer(49, "x", policy=2).refusal().kind == ""


@pytest.mark.parametrize(
    "name", ["LDAPPasswordIsMandatoryError", "LDAPSASLPrepError", "LDAPInvalidDnError", "LDAPInvalidFilterError"]
)
def test_what_ldap3_cannot_say_is_no_failure_of_the_directory(name):
    with pytest.raises(Invalid), _translated("bind"):
        raise getattr(_exceptions, name)("x")


@pytest.mark.parametrize(
    "error",
    [
        _exceptions.LDAPSocketReceiveError("x"),
        _exceptions.LDAPSessionTerminatedByServerError("x"),
        _exceptions.LDAPOperationResult(1),
        OSError("x"),
        TimeoutError(),
        KeyError("x"),
        IndexError(),
        RecursionError(),
    ],
)
def test_whatever_else_ldap3_raises_is_one(error):
    with pytest.raises(Unreachable), _translated("bind"):
        raise error


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
def test_dns_are_compared_whatever_their_spelling(one, other):
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize("dn", ["", "x", "cn=", "=x", "cn=a,", "cn=a,,dc=b", "cn=a\\", "cn=a<b", "c n=x", "=", "-=x"])
def test_what_is_no_dn(dn):
    with pytest.raises(Invalid):
        canonical(dn)


def test_below():
    assert is_below("uid=a,OU=People,dc=b", "ou=people, dc=b")
    assert is_below("uid=a,dc=b", "")
    assert not is_below("uid=a,ou=people,dc=b", "ou=other,dc=b")
    assert not is_below("uid=a\\,ou=people,dc=b", "ou=people,dc=b")
    assert not is_below("uid=a,ou=xpeople,dc=b", "ou=people,dc=b")


def test_stable_ids():
    guid = bytes(range(16))
    entry = Entry("cn=a", {"objectguid": [guid], "entryuuid": [b"AB-cd"], "short": [b"x"]})
    assert stable_id(entry, "objectGUID") == "03020100-0504-0706-0809-0a0b0c0d0e0f"
    assert stable_id(entry, "entryUUID") == "ab-cd"
    assert stable_id(entry, "ipaUniqueID") is None
    assert stable_id(Entry("cn=a", {"objectguid": [b"x"]}), "objectGUID") is None
    found = directory.id_filter("03020100-0504-0706-0809-0a0b0c0d0e0f", "objectGUID")
    assert found == "(objectGUID=\\00\\01\\02\\03\\04\\05\\06\\07\\08\\09\\0a\\0b\\0c\\0d\\0e\\0f)"
    assert directory.id_filter("a*)(", "entryUUID") == "(entryUUID=a\\2a\\29\\28)"
    with pytest.raises(Invalid):
        directory.id_filter("no uuid", "objectGUID")
