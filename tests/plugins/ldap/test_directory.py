from __future__ import annotations

import pytest

from visado_ldap import directory
from visado_ldap.directory import _exceptions, _translate_errors
from visado_ldap.errors import InvalidValue, ServerUnreachable


@pytest.mark.parametrize(
    "name", ["LDAPPasswordIsMandatoryError", "LDAPSASLPrepError", "LDAPInvalidDnError", "LDAPInvalidFilterError"]
)
def test_a_value_that_ldap3_rejects_is_no_failure_of_the_server(name):
    with pytest.raises(InvalidValue), _translate_errors("bind"):
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
def test_any_other_exception_of_ldap3_is_one(error):
    with pytest.raises(ServerUnreachable), _translate_errors("bind"):
        raise error


def test_filters_for_stable_ids():
    found = directory.stable_id_filter("03020100-0504-0706-0809-0a0b0c0d0e0f", "objectGUID")
    assert found == "(objectGUID=\\00\\01\\02\\03\\04\\05\\06\\07\\08\\09\\0a\\0b\\0c\\0d\\0e\\0f)"
    assert directory.stable_id_filter("a*)(", "entryUUID") == "(entryUUID=a\\2a\\29\\28)"
    with pytest.raises(InvalidValue):
        directory.stable_id_filter("no uuid", "objectGUID")
