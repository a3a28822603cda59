from __future__ import annotations

import pytest

from visado_ldap.lookup.directory_lookup import DirectoryLookup
from visado_ldap.settings import DirectorySettings

from .. import faulty_servers, slapd
from ..conftest import ADMINISTRATOR, settings_of
from ..slapd import GROUPS, password_of, user_dn

NAMED = r"cn=(?P<profile>[^,]+),ou=groups,dc=example,dc=org"
SEARCH = {"group_search_base": GROUPS}
NESTED = {"nested_groups": True}


def profiles_of(directory, number, **settings):
    lookup = DirectoryLookup("ldap", DirectorySettings(**settings_of(directory, group_pattern=NAMED, **settings)))
    try:
        person = lookup.log_in(f"user{number}", password_of(number).encode())
        return set(lookup.groups.profiles(person.groups))
    finally:
        lookup.close()


@pytest.mark.parametrize("how", [{}, SEARCH])
def test_direct_and_nested_groups(directory, how):
    assert profiles_of(directory, 0, **how) == {"staff"}
    assert profiles_of(directory, 0, **how, **NESTED) == {"staff", "all", "top"}
    assert profiles_of(directory, 0, **how, **NESTED, group_depth=1) == {"staff", "all"}
    assert profiles_of(directory, 1, **how, **NESTED) == {"loop-a", "loop-b"}
    assert profiles_of(directory, 3, **how, **NESTED, group_depth=3) == {f"deep{level}" for level in range(4)}
    assert profiles_of(directory, 9, **how, **NESTED) == set()


def test_posix_groups(directory):
    posix = {"group_search_filter": "(&(objectClass=posixGroup)(memberUid={username}))", **SEARCH, **NESTED}
    assert profiles_of(directory, 4, **posix) == {"posix"}


def test_group_dns_match_in_any_spelling(directory):
    spelt = {f"CN=Staff , OU=groups,{slapd.SUFFIX.upper()}": ["admin", "default"], f"cn=st\\61ff,{GROUPS}": ["more"]}
    lookup = DirectoryLookup("ldap", DirectorySettings(**settings_of(directory, group_profiles=spelt)))
    person = lookup.log_in("user0", password_of(0).encode())
    assert lookup.groups.profiles(person.groups) == ["more"] or lookup.groups.profiles(person.groups) == [
        "admin",
        "default",
    ]
    lookup.close()


def test_a_pattern_matches_whole_dns_only(directory):
    lookup = DirectoryLookup("ldap", DirectorySettings(**settings_of(directory, group_pattern=NAMED)))
    odd = [f"cn=admin,ou=groups,dc=example,dc=org,{slapd.SUFFIX}", f"cn=a\\,b,{GROUPS}", f"x=y,cn=admin,{GROUPS}"]
    assert lookup.groups.profiles(odd) == []
    lookup.close()


def test_profiles_come_and_go_with_groups(play, own_directory):
    staff = f"cn=staff,{GROUPS}"

    async def scene(each):
        await each.link("kuid-0", username="user0")
        await each.login("user0", password_of(0))
        assert await each.profiles("kuid-0") == ["default", "admin"]
        await each.login("user0", password_of(0))
        assert await each.profiles("kuid-0") == ["default", "admin"]
        own_directory.change(f"dn: {staff}\nchangetype: modify\ndelete: member\nmember: {user_dn(0)}\n")
        await each.strategy.recheck.round()
        assert await each.profiles("kuid-0") == ["default"]
        own_directory.change(f"dn: {staff}\nchangetype: modify\nadd: member\nmember: {user_dn(0)}\n")
        await each.strategy.recheck.round()
        assert await each.profiles("kuid-0") == ["default", "admin"]

    play(scene, settings_of(own_directory, group_profiles={staff: ["admin", "nonesuch"]}))


def test_other_profiles_of_a_user_stay(play, own_directory):
    staff = f"cn=staff,{GROUPS}"

    async def scene(each):
        await each.user("kuid-2", "admin")
        await each.strategy.create("kuid-2", {"username": "user2"}, ADMINISTRATOR)
        await each.login("user2", password_of(2))
        assert await each.profiles("kuid-2") == ["admin"]
        own_directory.change(f"dn: {staff}\nchangetype: modify\ndelete: member\nmember: {user_dn(2)}\n")
        await each.login("user2", password_of(2))
        assert await each.profiles("kuid-2") == ["admin"]

    play(scene, settings_of(own_directory, group_profiles={staff: ["admin"]}))


def test_a_new_user_has_the_profiles_of_its_groups(play, directory):
    async def scene(each):
        outcome = await each.login("user0", password_of(0))
        assert await each.profiles(outcome.who) == ["default", "admin"]
        other = await each.login("user5", password_of(5))
        assert await each.profiles(other.who) == ["default"]

    play(scene, settings_of(directory, group_profiles={f"cn=staff,{GROUPS}": ["admin"]}, auto_create=True))


def test_ranged_attributes_are_read_completely(play):
    groups = [f"cn=g{number},dc=a" for number in range(3_210)]
    with faulty_servers.Ranging(groups, 1_500) as server:
        given = {"url": server.url, "search_base": "dc=a", "group_profiles": {"cn=x": ["admin"]}}
        lookup = DirectoryLookup("ldap", DirectorySettings(**given))
        person = lookup.log_in("ann", b"password")
        lookup.close()
    assert person.groups == set(groups)
