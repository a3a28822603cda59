from __future__ import annotations

from visado_ldap.protocol.entries import Entry, stable_id


def test_stable_ids():
    guid = bytes(range(16))
    entry = Entry("cn=a", {"objectguid": [guid], "entryuuid": [b"AB-cd"], "short": [b"x"]})
    assert stable_id(entry, "objectGUID") == "03020100-0504-0706-0809-0a0b0c0d0e0f"
    assert stable_id(entry, "entryUUID") == "ab-cd"
    assert stable_id(entry, "ipaUniqueID") is None
    assert stable_id(Entry("cn=a", {"objectguid": [b"x"]}), "objectGUID") is None
