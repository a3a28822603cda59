from __future__ import annotations

import pytest

from visado_ldap.protocol.responses import LdapResult, read_policy_error

AD = "80090308: LdapErr: DSID-0C09041C, comment: AcceptSecurityContext error, data {}, v4563"


@pytest.mark.parametrize(
    ("code", "reason"),
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
def test_sub_codes(code, reason):
    refusal = LdapResult(49, "invalidCredentials", AD.format(code)).refusal()
    assert refusal.reason == reason
    assert code in refusal.text
    assert LdapResult(53, "unwillingToPerform", AD.format(code)).refusal().reason == ""


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
    assert read_policy_error(value) == error


def test_results_of_password_policies():
    assert LdapResult(0, "success").refusal() is None
    assert LdapResult(0, "success", policy_error=1).refusal() is None
    assert LdapResult(0, "success", policy_error=2).refusal().reason == "must change"
    assert LdapResult(49, "x", policy_error=0).refusal().reason == "password expired"
    assert LdapResult(49, "x", policy_error=1).refusal().reason == ""
    assert LdapResult(49, "x", policy_error=2).refusal().reason == ""
