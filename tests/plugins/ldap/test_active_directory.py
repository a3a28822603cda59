"""Against a real domain controller: Debian's samba."""

from __future__ import annotations

import pytest

from visado import Fail, Success
from visado_ldap.errors import (
    AccountDisabled,
    AccountExpired,
    DirectoryRefused,
    DirectoryUnreachable,
    PasswordExpired,
    PasswordMustChange,
)
from visado_ldap.lookup.directory_lookup import DirectoryLookup
from visado_ldap.protocol.sockets import Deadline
from visado_ldap.settings import DirectorySettings

from . import samba
from .conftest import need

WRONG = Fail("wrong username or password")


@pytest.fixture(scope="module")
def domain(tls, tmp_path_factory):
    need(samba.missing())
    server = samba.Samba(tmp_path_factory.mktemp("samba"), tls).start()
    yield server
    server.stop()


def settings_of(domain, **others):
    return {
        "preset": "active-directory",
        "url": domain.url,
        "ca_file": str(domain.tls / "ca.pem"),
        "timeout": 15,
        "bind_dn": samba.SERVICE,
        "bind_password": samba.SERVICE_PASSWORD,
        "search_base": samba.BASE,
        "auto_create": True,
        **others,
    }


def group(name):
    return f"CN={name},{samba.USERS}"


def test_both_kinds_of_names_log_in_the_same_person(play, domain):
    async def scene(each):
        first = await each.login("ann", samba.password_of("ann"))
        assert isinstance(first, Success)
        for name in ("ANN", "ann@ad.example.org", "Ann@AD.example.org"):
            assert await each.login(name, samba.password_of("ann")) == first
        for name in ("ann@mail.example.org", "ann*", "an", "ann)(cn=*"):
            assert await each.login(name, samba.password_of("ann")) == WRONG
        assert await each.login("ann", "wrong") == WRONG
        user = await each.host.security.users.get(first.who)
        assert user.content["email"] == "ann@mail.example.org"
        info = await each.strategy.info(first.who)
        assert (info["username"], info["dn"]) == ("ann", group("ann"))
        assert len(info["id"]) == 36

    play(scene, settings_of(domain, attributes={"email": "mail"}))


def test_a_service_account_may_have_a_principal_name(play, domain):
    async def scene(each):
        assert isinstance(await each.login("bob", samba.password_of("bob")), Success)

    play(scene, settings_of(domain, bind_dn="visado@ad.example.org"))


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("disabled", AccountDisabled),
        ("expired", AccountExpired),
        ("outdated", PasswordExpired),
        ("fresh", PasswordMustChange),
    ],
)
def test_the_state_of_an_account_is_told_only_after_the_right_password(play, domain, name, error, caplog):
    async def scene(each):
        assert await each.login(name, "wrong") == WRONG
        with pytest.raises(error):
            await each.login(name, samba.password_of(name))

    caplog.set_level("INFO", "visado.ldap")
    play(scene, settings_of(domain))
    assert "data 52e" in caplog.text


def test_a_locked_account_looks_like_a_wrong_password(play, domain, caplog):
    async def scene(each):
        for _ in range(4):
            assert await each.login("locked", "wrong") == WRONG
        assert await each.login("locked", samba.password_of("locked")) == WRONG

    caplog.set_level("INFO", "visado.ldap")
    play(scene, settings_of(domain))
    assert "too many wrong passwords (data 775)" in caplog.text


PROFILES = {group(name): [name] for name in ("staff", "all", "top", "loop-a", "loop-b", "main", "above-main", "crowd")}


@pytest.mark.parametrize(
    "how",
    [
        {"nested_groups": True},
        {"nested_groups": True, "group_search_base": samba.BASE},
        {"group_in_chain": True, "group_search_base": samba.BASE},
    ],
)
def test_groups_are_followed(domain, how):
    lookup = DirectoryLookup("ad", DirectorySettings(**settings_of(domain, group_profiles=PROFILES, **how)))
    found = {}
    for name in ("ann", "bob", "primary"):
        person = lookup.log_in(name, samba.password_of(name).encode())
        found[name] = lookup.groups.profiles(person.groups)
    lookup.close()
    assert {name: sorted(profiles) for name, profiles in found.items()} == {
        "ann": ["all", "crowd", "staff", "top"],
        "bob": ["loop-a", "loop-b"],
        "primary": ["above-main", "main"],
    }


def test_direct_groups_include_the_primary_group(domain):
    lookup = DirectoryLookup("ad", DirectorySettings(**settings_of(domain, group_profiles=PROFILES)))
    person = lookup.log_in("primary", samba.password_of("primary").encode())
    lookup.close()
    assert lookup.groups.profiles(person.groups) == ["main"]


@pytest.mark.parametrize("attribute", ["member", "member;range=0-499"])
def test_attributes_with_2000_values_are_read_completely(domain, attribute):
    lookup = DirectoryLookup("ad", DirectorySettings(**settings_of(domain)))

    def read(server, deadline):
        return server.pool.run(lambda each: each.read(group("crowd"), deadline, [attribute]), deadline)

    entry = lookup.servers.run(read, Deadline.after(15))
    lookup.close()
    assert len(entry.texts("member")) == len(set(entry.texts("member"))) == samba.MEMBERS


def test_credentials_and_re_checks(play, domain):
    async def scene(each):
        await each.link("kuid-mover", searchBase=samba.BASE, searchFilter="(mail=mover@mail.example.org)")
        assert await each.login("mover", samba.password_of("mover")) == Success("kuid-mover")
        await each.strategy.recheck.round()
        assert not (await each.row("kuid-mover")).get("gone")
        domain.tool("user", "move", "mover", f"CN=Computers,{samba.BASE}")
        assert await each.login("mover", samba.password_of("mover")) == Success("kuid-mover")
        token = (await each.host.security.tokens.create("kuid-mover")).text
        domain.tool("user", "disable", "mover")
        await each.strategy.recheck.round()
        assert (await each.row("kuid-mover"))["gone"] is True
        with pytest.raises(Exception, match="Invalid token"):
            await each.host.security.access.verify(token)

    play(scene, settings_of(domain))


def test_the_domain_refuses_plaintext(play, domain):
    """The domain requires TLS: the login fails, and the log has the reason."""

    async def scene(each):
        with pytest.raises((DirectoryRefused, DirectoryUnreachable)):
            await each.login("ann", samba.password_of("ann"))

    play(scene, settings_of(domain) | {"url": f"ldap://{domain.address}"})


def test_start_tls_works(play, domain):
    async def scene(each):
        assert isinstance(await each.login("ann", samba.password_of("ann")), Success)

    play(scene, settings_of(domain, start_tls=True) | {"url": f"ldap://{domain.address}"})
