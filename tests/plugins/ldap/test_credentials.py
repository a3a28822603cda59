from __future__ import annotations

import pytest

from visado import Fail, Success, errors
from visado_kit.live import serve

from . import slapd
from .conftest import ADMINISTRATOR, OWNER, STRANGER, settings_of
from .slapd import PEOPLE, password_of, user_dn


async def refusal(call):
    with pytest.raises(errors.VisadoError) as refused:
        await call
    return refused.value.status, refused.value.id


@pytest.mark.parametrize(
    "credentials",
    [
        {"bindDN": slapd.SERVICE, "searchBase": PEOPLE, "searchFilter": "(uid=user1)"},
        {"bindDN": slapd.SERVICE.upper().replace(",", ", "), "searchBase": slapd.SUFFIX, "searchFilter": "(cn=User 1)"},
        {"searchBase": PEOPLE, "searchFilter": "(uid=user1)"},
        {"searchFilter": "(&(uid=user1)(objectClass=person))"},
        {"username": "user1"},
        {"dn": user_dn(1)},
        {"dn": user_dn(1).upper()},
    ],
)
def test_credentials_name_one_entry(play, directory, credentials):
    async def scene(each):
        shown = await each.link("kuid-1", **credentials)
        assert await each.login("user1", password_of(1)) == Success("kuid-1")
        info = await each.strategy.info("kuid-1")
        assert shown == info
        given = {name: value for name, value in credentials.items() if name not in {"username", "dn"}}
        assert info == {"id": info["id"], "kuid": "kuid-1", "username": "user1", "dn": user_dn(1), **given}
        for subject in (info["id"], "user1", user_dn(1)):
            assert await each.strategy.by_id(subject) == info

    play(scene, settings_of(directory))


@pytest.mark.parametrize(
    ("credentials", "found"),
    [
        ({}, (400, "ldap.credentials.invalid")),
        ({"username": ""}, (400, "ldap.credentials.invalid")),
        ({"username": "x" * 257}, (400, "ldap.credentials.invalid")),
        ({"username": "user1", "dn": user_dn(1)}, (400, "ldap.credentials.invalid")),
        ({"bindDN": slapd.SERVICE}, (400, "ldap.credentials.invalid")),
        ({"bindDN": slapd.ADMIN, "username": "user1"}, (400, "ldap.credentials.bind_dn")),
        ({"kuid": "x", "username": "user1"}, (400, "ldap.credentials.invalid")),
        ({"searchFilter": "uid=user1"}, (400, "ldap.credentials.invalid")),
        ({"searchFilter": "(uid=user1"}, (400, "ldap.credentials.invalid")),
        ({"searchBase": "nonsense", "searchFilter": "(uid=user1)"}, (400, "ldap.credentials.invalid")),
        ({"searchBase": "ou=nowhere,dc=example,dc=org", "searchFilter": "(uid=a)"}, (400, "ldap.entry.not_found")),
        ({"dn": "nonsense"}, (400, "ldap.credentials.invalid")),
        ({"dn": f"uid=nobody,{PEOPLE}"}, (400, "ldap.entry.not_found")),
        ({"username": "nobody"}, (400, "ldap.entry.not_found")),
        ({"username": "twin"}, (400, "ldap.entry.ambiguous")),
        ({"searchFilter": "(uid=user*)"}, (400, "ldap.entry.ambiguous")),
        ({"searchFilter": "(uid={{username}})"}, (400, "ldap.entry.not_found")),
        ({"dn": slapd.SERVICE}, (400, "ldap.entry.outside")),
        ({"searchBase": slapd.SUFFIX, "searchFilter": "(cn=visado)"}, (400, "ldap.entry.outside")),
    ],
)
def test_credentials_that_name_no_entry_are_refused(play, directory, credentials, found):
    async def scene(each):
        await each.user("kuid-1")
        assert await refusal(each.strategy.validate("kuid-1", credentials, ADMINISTRATOR, update=False)) == found
        assert await refusal(each.strategy.create("kuid-1", credentials, ADMINISTRATOR)) == found
        assert await each.strategy.exists("kuid-1") is False

    play(scene, settings_of(directory))


def test_credentials_change_owner_only_after_deletion(play, directory):
    async def scene(each):
        await each.link("kuid-1", dn=user_dn(1))
        await each.user("kuid-2")
        taken = (412, "security.credentials.subject_taken")
        assert await refusal(each.strategy.create("kuid-2", {"username": "user1"}, ADMINISTRATOR)) == taken
        await each.strategy.create("kuid-2", {"username": "user2"}, ADMINISTRATOR)
        assert await refusal(each.strategy.update("kuid-2", {"username": "user1"}, ADMINISTRATOR)) == taken
        await each.strategy.delete("kuid-1", ADMINISTRATOR)
        await each.strategy.update("kuid-2", {"searchFilter": "(uid=user1)"}, ADMINISTRATOR)
        assert await each.login("user1", password_of(1)) == Success("kuid-2")
        assert await each.login("user2", password_of(2)) == Fail("wrong username or password")
        assert await each.strategy.info("kuid-2") == await each.strategy.by_id("user1")

    play(scene, settings_of(directory))


def test_credentials_can_be_searched(play, directory):
    async def scene(each):
        for number in range(5):
            await each.link(f"kuid-{number}", username=f"user{number}")
        found = await each.strategy.search({"terms": {"username": ["user1", "user3"]}}, sort=[{"username": "desc"}])
        assert ([hit["kuid"] for hit in found["hits"]], found["total"]) == (["kuid-3", "kuid-1"], 2)
        query = {"bool": {"must": [{"prefix": {"dn": "uid=user"}}], "must_not": [{"term": {"kuid": "kuid-2"}}]}}
        assert (await each.strategy.search(query, limit=2))["total"] == 4
        forbidden = (403, "ldap.search.forbidden_field")
        assert await refusal(each.strategy.search({"term": {"password": "x"}})) == forbidden
        assert (await refusal(each.strategy.search({"script": {}})))[0] == 400

    play(scene, settings_of(directory))


@pytest.mark.parametrize("by", [OWNER, STRANGER])
def test_users_prove_that_an_entry_is_theirs(play, directory, by):
    async def scene(each):
        await each.user("kuid-1")
        proof = (400, "ldap.credentials.password_required")
        for credentials in (
            {"username": "user1"},
            {"dn": user_dn(1)},
            {"searchFilter": "(uid=user1)", "password": "x"},
        ):
            assert await refusal(each.strategy.validate("kuid-1", credentials, by, update=False)) == proof
            assert await refusal(each.strategy.create("kuid-1", credentials, by)) == proof
        wrong = (403, "ldap.credentials.password_wrong")
        assert await refusal(each.strategy.create("kuid-1", {"username": "user1", "password": "x"}, by)) == wrong
        assert await refusal(each.strategy.create("kuid-1", {"username": "nobody", "password": "x"}, by)) == wrong
        shown = await each.strategy.create("kuid-1", {"username": "user1", "password": password_of(1)}, by)
        assert "password" not in shown
        assert await each.login("user1", password_of(1)) == Success("kuid-1")

    play(scene, settings_of(directory))


def test_an_unreachable_directory_creates_nothing(play, directory):
    gone = settings_of(directory) | {"url": "ldap://127.0.0.1:1"}

    async def scene(each):
        await each.user("kuid-1")
        away = (503, "ldap.directory.unreachable")
        assert (
            await refusal(each.strategy.validate("kuid-1", {"username": "user1"}, ADMINISTRATOR, update=False)) == away
        )
        assert await refusal(each.strategy.create("kuid-1", {"username": "user1"}, ADMINISTRATOR)) == away
        assert await refusal(each.login("user1", password_of(1))) == away
        assert await each.strategy.exists("kuid-1") is False

    play(scene, gone)


def test_a_real_host_logs_in_as_in_the_guide(directory, tmp_path):
    config = "[ldap.directories.ldap]\n" + "".join(
        f"{name} = {value!r}\n" for name, value in settings_of(directory).items()
    )
    with serve(tmp_path, config=config) as host:
        token = host.create_admin()
        ldap = {"bindDN": slapd.SERVICE, "searchBase": PEOPLE, "searchFilter": "(uid=melis)"}
        local = {"username": "melis", "password": "a local password"}
        body = {"content": {"profileIds": ["admin"]}, "credentials": {"local": local, "ldap": ldap}}
        assert host.request("POST", "/users/melis-kuid/_create", body, token=token).status == 200
        login = host.request("POST", "/_login/ldap", {"username": "melis", "password": "password"})
        assert (login.status, login.result["_id"]) == (200, "melis-kuid")
        assert host.request("POST", "/_login/local", local).result["_id"] == "melis-kuid"
        mine = login.result["jwt"]
        assert sorted(host.request("GET", "/_me", token=mine).result["strategies"]) == ["ldap", "local"]
        assert host.request("GET", "/credentials/ldap/melis-kuid", token=token).result["bindDN"] == slapd.SERVICE
        refused = host.request("POST", "/_login/ldap", {"username": "melis", "password": ""})
        assert (refused.status, refused.error_id) == (401, "plugin.strategy.missing_user")
        body["credentials"] = {"ldap": {**ldap, "searchFilter": "(uid=nobody)"}}
        refused = host.request("POST", "/users/other/_create", body, token=token)
        assert (refused.status, refused.error_id) == (400, "ldap.entry.not_found")
        assert host.request("GET", "/users/other", token=token).status == 404
        refreshed = host.query("auth:refreshToken", token=mine, strategy="ldap")
        assert refreshed.status == 200
        log = host.log
    for secret in (slapd.SERVICE_PASSWORD, "a local password"):
        assert secret not in log
