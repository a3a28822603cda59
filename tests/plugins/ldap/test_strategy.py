from __future__ import annotations

import asyncio

import pytest

from visado import Fail, Success, errors
from visado.request import Request
from visado_ldap.errors import AccountDisabled, PasswordMustChange

from . import slapd
from .conftest import settings_of
from .slapd import PEOPLE, password_of, user_dn

MISSING, WRONG = Fail("Missing credentials"), Fail("wrong username or password")


async def refusal(call):
    with pytest.raises(errors.VisadoError) as refused:
        await call
    return refused.value.status, refused.value.id


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (None, MISSING),
        ([], MISSING),
        ({}, MISSING),
        ({"username": "user1"}, MISSING),
        ({"username": "user1", "password": ""}, MISSING),
        ({"username": "", "password": "x"}, MISSING),
        ({"username": 1, "password": "x"}, MISSING),
        ({"username": "user1", "password": None}, MISSING),
        ({"username": "user1", "password": 42}, MISSING),
        ({"username": "user1", "password": "wrong"}, WRONG),
        ({"username": "user1", "password": password_of(1) + " "}, WRONG),
        ({"username": "user1", "password": password_of(1).upper()}, WRONG),
        ({"username": "user1", "password": "\0"}, WRONG),
        ({"username": "user1", "password": password_of(1) + "\0"}, WRONG),
        ({"username": "user1", "password": "\ud800"}, WRONG),
        ({"username": "user1", "password": "x" * 100_000}, WRONG),
        ({"username": "nobody", "password": password_of(1)}, WRONG),
        ({"username": "*", "password": password_of(1)}, WRONG),
        ({"username": "user1)(uid=*", "password": password_of(1)}, WRONG),
        ({"username": "user1\0", "password": password_of(1)}, WRONG),
        ({"username": "\ud800", "password": "x"}, WRONG),
        ({"username": "u" * 100_000, "password": "x"}, WRONG),
        ({"username": "   ", "password": "x"}, WRONG),
        ({"username": "user1", "password": password_of(1)}, Success("kuid-1")),
        ({"username": "USER1", "password": password_of(1)}, Success("kuid-1")),
    ],
)
def test_logins(play, directory, body, outcome):
    async def scene(each):
        await each.link("kuid-1", username="user1")
        assert await each.authenticate(body) == outcome

    play(scene, settings_of(directory))


def test_credentials_are_not_read_from_the_address(play, directory):
    async def scene(each):
        await each.link("kuid-1", username="user1")
        assert await each.authenticate(None, username="user1", password=password_of(1)) == MISSING

    play(scene, settings_of(directory))


def test_an_entry_without_a_user_is_refused_like_a_wrong_password_and_logged(play, directory, caplog):
    async def scene(each):
        refused = []
        for username, password in (("user5", password_of(5)), ("user5", "wrong"), ("nobody", password_of(5))):
            body = {"username": username, "password": password}
            response = await each.host.run("auth:login", body, strategy="ldap")
            refused.append((response.status, response.error.as_dict()))
        assert refused[0] == refused[1] == refused[2]
        assert (refused[0][0], refused[0][1]["message"]) == (401, WRONG.reason)

    play(scene, settings_of(directory))
    assert "has no user, and auto_create is off" in caplog.text
    assert password_of(5) not in caplog.text


def test_the_first_login_creates_a_user(play, directory):
    mapped = {"name": "displayName", "email": "mail", "absent": "telephoneNumber", "classes": "objectClass"}

    async def scene(each):
        first = await each.login("melis", "password")
        assert isinstance(first, Success)
        user = await each.host.security.users.get(first.who)
        assert user.profile_ids == ("default",)
        assert {name: user.content[name] for name in ("name", "email")} == {
            "name": "Mélis Ä",
            "email": "melis@example.org",
        }
        assert "absent" not in user.content
        assert await each.login("melis", "password") == first
        assert (await each.strategy.info(first.who))["dn"] == f"uid=melis,{PEOPLE}"

    play(scene, settings_of(directory, auto_create=True, attributes=mapped))


def test_the_settings_of_accounts_win_over_those_of_the_directory(play, directory):
    accounts = {
        "auto_create": True,
        "profiles": ["admin"],
        "content": {"who": "name"},
        "require": {"mail": ["melis@example.org"]},
    }

    async def scene(each):
        user = await each.host.users.get((await each.login("melis", "password")).who)
        assert (user.profile_ids, user.content["who"]) == (("admin",), "Mélis Ä")
        assert not {"name", "mail"} & user.content.keys()
        assert await each.login("user1", password_of(1)) == WRONG

    attributes = {"name": "displayName", "mail": "mail"}
    play(scene, settings_of(directory, auto_create=False, attributes=attributes), accounts={"ldap": accounts})


def test_a_user_links_an_entry_by_a_login_with_it(play, directory):
    async def scene(each):
        await each.user("kuid-1")
        token = (await each.host.tokens.create("kuid-1")).text
        body = {"username": "user1", "password": "wrong"}
        refused = await each.host.run("auth:link", body, token=token, strategy="ldap")
        assert (refused.status, refused.error.text) == (401, WRONG.reason)
        body["password"] = password_of(1)
        linked = await each.host.run("auth:link", body, token=token, strategy="ldap")
        assert linked.status == 200, linked.error
        assert await each.login("user1", password_of(1)) == Success("kuid-1")
        assert (await each.strategy.info("kuid-1"))["username"] == "user1"

    play(scene, settings_of(directory))


def test_a_token_remembers_that_a_password_made_it(play, directory):
    async def scene(each):
        await each.link("kuid-1", username="user1")
        login = await each.host.run("auth:login", {"username": "user1", "password": password_of(1)}, strategy="ldap")
        token = await each.host.security.access.verify(login.reply.result["jwt"])
        assert (token.strategy, token.methods, token.session) == ("ldap", {"pwd"}, {})

    play(scene, settings_of(directory))


@pytest.mark.parametrize(
    ("username", "subject"),
    [
        ("melis", "melis"),
        (" MELIS ", "melis"),
        ("Mélis  Ä", "melis a"),
        ("Me\u0301lis\u00a0\u2003a", "melis a"),
        ("ｍｅｌｉｓ", "melis"),
        ("mel\u00adis\u200b", "melis"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("melis\0", None),
        ("x" * 257, None),
        ("  ", None),
        (7, None),
        (None, None),
    ],
)
def test_failed_logins_are_counted_by_one_spelling(play, directory, username, subject):
    async def scene(each):
        request = Request("1", "auth", "login", {}, {"username": username, "password": "x"})
        assert each.strategy.subject(request) == subject

    play(scene, settings_of(directory))


def test_concurrent_first_logins_create_one_user(play, directory):
    async def scene(each):
        outcomes = await asyncio.gather(*(each.login("user7", password_of(7)) for _ in range(20)))
        assert len({outcome.who for outcome in outcomes}) == 1
        from visado.storage.query import Query

        assert (await each.host.security.users.search(Query())).total == 1

    play(scene, settings_of(directory, auto_create=True))


def test_profiles_that_do_not_exist_are_left_out(play, directory, caplog):
    async def scene(each):
        outcome = await each.login("user8", password_of(8))
        assert await each.profiles(outcome.who) == ["default"]

    play(scene, settings_of(directory, auto_create=True, default_profiles=["nonesuch", "default"]))
    assert "'nonesuch' does not exist" in caplog.text


@pytest.mark.parametrize("username", ["twin", "twin@example.org"])
def test_several_entries_are_refused_logged_and_not_bound(play, directory, caplog, username):
    before = len(directory.log)

    async def scene(each):
        assert await each.login(username, "twin-pw") == WRONG

    play(scene, settings_of(directory, auto_create=True, search_filter="(|(uid={username})(mail={username}))"))
    assert "several entries match" in caplog.text
    assert "twin" not in "".join(line for line in directory.log[before:].splitlines() if " BIND dn=" in line)


def test_an_unknown_name_is_not_bound(play, directory):
    async def scene(each):
        before = len(directory.log)
        assert await each.login("nobody", "some password") == WRONG
        assert await each.login("nobody", "some password") == WRONG
        binds = [line for line in directory.log[before:].splitlines() if " BIND dn=" in line]
        assert all(slapd.SERVICE in line for line in binds), binds

    play(scene, settings_of(directory))


@pytest.mark.parametrize("by_template", [False, True])
def test_names_and_passwords_of_any_kind(play, own_directory, by_template):
    names = {
        "o'brien, (jr.) *\\": "odd name",
        "#sharp": "p#",
        " spaced": "p q ",
        "müller": "pässwörd ☃",
        "a+b=c": "x=y",
        'q"u<o>t;e': "quoted",
        "日本": "語",
    }

    def dn_of(name):
        escaped = "".join(
            chr(byte) if byte < 128 and chr(byte).isalnum() else f"\\{byte:02x}" for byte in name.encode()
        )
        return f"uid={escaped},ou=elsewhere,{slapd.SUFFIX}"

    people = "".join(
        slapd.person(name, password, dn=dn_of(name), mail="x@example.org") for name, password in names.items()
    )
    own_directory.change(people, add=True)
    others = {"search_base": f"ou=elsewhere,{slapd.SUFFIX}", "auto_create": True}
    if by_template:
        others |= {"user_dn_template": "uid={username}," + f"ou=elsewhere,{slapd.SUFFIX}", "search_base": ""}

    async def scene(each):
        found = {}
        for name, password in names.items():
            outcome = await each.login(name, password)
            assert isinstance(outcome, Success), name
            found[name] = outcome.who
            for wrong in (password + "x", password.strip() + "  ", password.upper() + "!"):
                assert await each.login(name, wrong) == WRONG, (name, wrong)
        assert len(set(found.values())) == len(names)

    play(scene, settings_of(own_directory, **others))


def test_passwords_are_not_folded(play, directory):
    """ldap3 would send `pass` where `pªss` was typed."""

    async def scene(each):
        await each.link("kuid-pass", username="pass")
        assert await each.login("pass", "pass") == Success("kuid-pass")
        for folded in ("pªss", "ｐass", "pa\u00adss", "pass\u200b", "PASS"):
            assert await each.login("pass", folded) == WRONG, folded

    play(scene, settings_of(directory))


def test_moved_and_renamed_entries_keep_their_user(play, own_directory):
    async def scene(each):
        await each.link("kuid-1", username="user1")
        own_directory.rename(user_dn(1), "uid=renamed", f"ou=elsewhere,{slapd.SUFFIX}")
        assert await each.login("renamed", password_of(1)) == Success("kuid-1")
        assert (await each.strategy.info("kuid-1"))["username"] == "renamed"

    play(scene, settings_of(own_directory, search_base=slapd.SUFFIX))


def test_a_reused_name_is_another_person(play, own_directory):
    async def scene(each):
        await each.link("kuid-1", username="user1")
        own_directory.delete(user_dn(1))
        own_directory.change(slapd.person("user1", "another password"), add=True)
        assert await each.login("user1", "another password") == WRONG
        own = await each.login("user1", password_of(1))
        assert own == WRONG

    play(scene, settings_of(own_directory))


def test_the_password_policy_of_the_directory_applies(play, own_directory):
    async def scene(each):
        await each.link("kuid-1", username="user1")
        own_directory.set(user_dn(1), "pwdReset", "TRUE")
        with pytest.raises(PasswordMustChange):
            await each.login("user1", password_of(1))
        assert await each.login("user1", "wrong") == WRONG
        own_directory.change(f"dn: {user_dn(1)}\nchangetype: modify\ndelete: pwdReset\n")
        assert await each.login("user1", password_of(1)) == Success("kuid-1")
        own_directory.set(user_dn(1), "pwdAccountLockedTime", "000001010000Z")
        assert await each.login("user1", password_of(1)) == WRONG

    play(scene, settings_of(own_directory))


def test_a_custom_disabled_filter_applies_after_the_password(play, own_directory):
    async def scene(each):
        await each.link("kuid-2", username="user2")
        own_directory.set(user_dn(2), "employeeType", "left")
        with pytest.raises(AccountDisabled):
            await each.login("user2", password_of(2))
        assert await each.login("user2", "wrong") == WRONG

    play(scene, settings_of(own_directory, disabled_filter="(employeeType=left)"))


def test_local_sockets_work(play, directory):
    async def scene(each):
        await each.link("kuid-1", username="user1")
        assert await each.login("user1", password_of(1)) == Success("kuid-1")

    play(scene, settings_of(directory) | {"url": directory.socket_url})


def test_password_files_are_read_when_needed(play, directory, tmp_path):
    file = tmp_path / "password"
    file.write_text(f"{slapd.SERVICE_PASSWORD}\n")

    async def scene(each):
        await each.link("kuid-1", username="user1")
        assert await each.login("user1", password_of(1)) == Success("kuid-1")

    given = settings_of(directory, bind_password_file=str(file))
    del given["bind_password"]
    play(scene, given)


def test_200_concurrent_logins_return_their_own_users(play, directory):
    rounds, logins, people = 20, 200, 50

    async def scene(each):
        for number in range(people):
            await each.link(f"kuid-{number}", username=f"user{number}")
        before = directory.log.count(" BIND dn=")
        for _ in range(rounds):
            numbers = [number % people for number in range(logins)]
            outcomes = await asyncio.gather(*(each.login(f"user{n}", password_of(n)) for n in numbers))
            assert outcomes == [Success(f"kuid-{n}") for n in numbers]
        binds = directory.log.count(" BIND dn=") - before  # one line per request, one per success
        assert binds // 2 - rounds * logins <= 8

    play(scene, settings_of(directory, timeout=30))


@pytest.mark.parametrize("listed", [True, False])
def test_a_login_page_shows_a_directory_unless_it_is_hidden(play, directory, listed):
    async def scene(each):
        forms = (await each.host.run("auth:getLoginForms")).reply.result
        shown = [(form["title"], sorted(form["form"]["properties"])) for form in forms if form["strategy"] == "ldap"]
        assert shown == ([("Example staff", ["password", "username"])] if listed else [])
        assert isinstance(await each.login("user1", password_of(1)), Success)

    play(scene, settings_of(directory, title="Example staff", listed=listed, auto_create=True))


@pytest.mark.parametrize("by_template", [False, True])
def test_names_that_nobody_has_are_not_logged(play, directory, by_template, caplog):
    """They may be passwords that were typed into the wrong field."""

    async def scene(each):
        assert await each.login("pA55-typed-as-a-name", "x") == WRONG

    caplog.set_level("DEBUG")
    template = {"user_dn_template": "uid={username},ou=people,dc=example,dc=org", "search_base": ""}
    play(scene, settings_of(directory, **(template if by_template else {})))
    assert "is refused" in caplog.text or not by_template
    assert "pA55" not in caplog.text
