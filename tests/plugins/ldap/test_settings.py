from __future__ import annotations

import pytest
from pydantic import ValidationError

from visado.settings import loading
from visado_ldap.settings import DirectorySettings, LdapSection

LEAST = {"url": "ldap://127.0.0.1", "search_base": "dc=example,dc=org"}
WITHOUT_BASE = {"url": "ldap://127.0.0.1"}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"url": "ldap://directory.example.org"}, "in the clear"),
        ({"url": ["ldaps://a.example.org", "ldap://b.example.org"]}, "in the clear"),
        ({"url": "http://127.0.0.1"}, "use ldap://host"),
        ({"url": "ldap://127.0.0.1/dc=x"}, "use ldap://host"),
        ({"url": "ldap://user:pw@127.0.0.1"}, "use ldap://host"),
        ({"url": "ldapi://"}, "give the socket's path"),
        ({"url": []}, "at least one"),
        ({"url": "ldaps://127.0.0.1", "start_tls": True}, "start_tls applies to ldap://"),
        ({"ca_file": "/nonexistent"}, "certificates cannot be read"),
        ({"bind_dn": "cn=x"}, "needs a bind_password"),
        ({"bind_dn": "cn=x", "bind_password": ""}, "needs a bind_password"),
        ({"bind_dn": "cn=x", "bind_password": "canary", "bind_password_file": "/x"}, "not both"),
        ({"bind_dn": "cn=x", "bind_password_file": "/nonexistent"}, "cannot be read"),
        ({"search_base": ""}, "search_base or user_dn_template"),
        ({"search_filter": "(uid=x)"}, "must contain {username}"),
        ({"search_filter": "uid={username}"}, "not an LDAP filter"),
        ({"search_filter": "(uid={username}"}, "not an LDAP filter"),
        ({"user_dn_template": "cn=x"}, "must be a DN with {username}"),
        ({"user_dn_template": "{username}@example.org"}, "must be a DN with {username}"),
        ({"group_pattern": "("}, "not a regular expression"),
        ({"group_pattern": "cn=(.*)"}, "needs a group (?P<profile>"),
        ({"group_in_chain": True}, "needs a group_search_base"),
        ({"attributes": {"profileIds": "x"}}, "reserved for the host"),
        ({"attributes": {"_id": "x"}}, "reserved for the host"),
        ({"attributes": {"name": "c n"}}, "not the name of an attribute"),
        ({"timeout": 0}, "greater than 0"),
        ({"icon": "http://example.org/icon.png"}, "should match pattern"),
        ({"refresh_interval": "often"}, "a number of seconds"),
        ({"preset": "novell"}, "Input should be"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_invalid_settings_are_refused(given, complaint):
    with pytest.raises(ValidationError) as refused:
        DirectorySettings(**{**LEAST, **given})
    assert complaint in str(refused.value)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"url": "ldap://localhost:1389"},
        {"url": "ldap://[::1]"},
        {"url": "ldap://directory.example.org", "start_tls": True},
        {"url": "ldap://directory.example.org", "allow_plaintext": True},
        {"url": ["ldaps://a.example.org", "ldapi://%2Frun%2Fslapd%2Fldapi"]},
        {"search_filter": "(|(uid={{username}})(mail={{username}}))"},
        {"attributes": ["cn", "mail"]},
        {"refresh_interval": 0},
        {"timeout": "2500ms", "connect_timeout": "1 s"},
    ],
)
def test_valid_settings_are_accepted(given):
    DirectorySettings(**{**LEAST, **given})


def test_defaults_and_presets():
    directory = DirectorySettings(**LEAST)
    assert (directory.search_filter, directory.id_attribute) == ("(uid={username})", "entryUUID")
    assert (directory.timeout, directory.connect_timeout, directory.refresh_interval) == (5, 5, 300)
    assert (directory.auto_create, directory.allow_plaintext, directory.default_profiles) == (False, False, ["default"])
    stable = {"active-directory": "objectGUID", "freeipa": "ipaUniqueID", "389": "nsUniqueId"}
    for preset, attribute in stable.items():
        assert DirectorySettings(**LEAST, preset=preset).id_attribute == attribute
    own = DirectorySettings(**LEAST, preset="active-directory", search_filter="(mail={username})")
    assert (own.search_filter, own.id_attribute) == ("(mail={username})", "objectGUID")
    assert DirectorySettings(**LEAST, attributes=["cn"]).attributes == {"cn": "cn"}
    assert DirectorySettings(**LEAST, timeout="2500ms", refresh_interval="5 min").refresh_interval == 300


def test_secrets_are_shown_as_stars(tmp_path, monkeypatch):
    config = tmp_path / "visado.toml"
    config.write_text(
        '[ldap.directories.corp]\nurl = "ldap://127.0.0.1"\nsearch_base = "dc=a"\nbind_dn = "cn=a"\n'
        'bind_password = "canary"\nclient_key_password = "canary"\n'
    )
    loaded = loading.load([LdapSection], config=config)
    assert "canary" not in str(loaded.public())
    assert "canary" not in repr(loaded[LdapSection])
    assert loaded[LdapSection].directories["corp"].read_bind_password() == b"canary"


def test_errors_name_the_key(tmp_path):
    config = tmp_path / "visado.toml"
    config.write_text('[ldap.directories.corp]\nurl = "ldap://corp.example.org"\nsearch_base = "dc=a"\n')
    with pytest.raises(loading.SettingsError, match=r"ldap\.directories\.corp: .*in the clear"):
        loading.load([LdapSection], config=config)
    with pytest.raises(loading.SettingsError, match="is not local"):
        loading.load([LdapSection], given={"ldap": {"directories": {"local": LEAST}}})
