from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from visado import errors
from visado.request import Request
from visado.security.strategies.chains import Chain
from visado.strategy import AccountRules, Challenge, Fail, Identity, Redirect, Strategy, Success

WRONG = "wrong name or password"


class Passport(Strategy):
    """Knows everybody, by the password `right`."""

    name = "passport"

    def __init__(self, **rules):
        self.accounts = AccountRules(refusal=WRONG, **rules)

    async def authenticate(self, request):
        name = request.fields.get("name")
        if request.fields.get("password") != "right":
            return Fail(WRONG)
        return Success(Identity(name, profile={"country": "tr"}))


class Counting(Strategy):
    """Refuses everybody, and counts."""

    name = "last"
    asked = 0

    async def authenticate(self, request):
        self.asked += 1
        return Fail("never")


async def link(inside, name):
    await inside.host.security.users.create({"profileIds": ["default"]}, f"{name}-kuid")
    await inside.host.security.credentials.link("passport", name, f"{name}-kuid")


async def login(inside, name, password):
    response = await inside.ask("auth:login", {"name": name, "password": password}, strategy="passport")
    return response.reply.result["_id"] if response.error is None else response.error.as_dict()


@pytest.mark.parametrize("required", [{}, {"country": ("de",)}])
def test_an_identity_that_may_not_log_in_looks_like_a_wrong_password(play, required):
    """Without a user, with a user that is deleted, and without a required value: a stranger cannot tell them apart."""

    async def scene(inside):
        await link(inside, "ann")
        refused = await login(inside, "ann", "wrong")
        assert (refused["id"], refused["message"]) == ("plugin.strategy.missing_user", WRONG)
        assert await login(inside, "bob", "right") == refused
        assert await login(inside, "ann", "right") == (refused if required else "ann-kuid")
        await inside.host.security.credentials.link("passport", "cem", "deleted-kuid")
        assert await login(inside, "cem", "right") == refused

    play(scene, strategies=[Passport(require=required)], accounts={"passport": {"profiles": ["default"]}})


@dataclass
class Ledger:
    """A gate that writes down the outcomes."""

    outcomes: list[object] = field(default_factory=list)

    async def enter(self, strategy, subject, request): ...

    async def leave(self, strategy, subject, request, outcome):
        self.outcomes.append(outcome)


def test_chains_and_gates_cannot_tell_it_from_a_wrong_password(play):
    """A chain goes on to its next member, and who counts failed logins counts it."""

    async def scene(inside):
        strategies, ledger = inside.host.security.strategies, Ledger()
        strategies.add(Chain("everybody", ["passport", "last"], strategies))
        strategies.gates.append(ledger)
        last, refused = strategies["last"], []
        for name, password in (("bob", "right"), ("bob", "wrong")):
            last.asked = 0
            ledger.outcomes.clear()
            body = {"name": name, "password": password}
            response = await inside.ask("auth:login", body, strategy="everybody")
            refused.append((response.error.as_dict(), last.asked, [*ledger.outcomes]))
        assert refused[0] == refused[1]
        assert refused[0][1:] == (1, [Fail(WRONG), Fail("never"), Fail(f"{WRONG}; never")])
        request = Request("1", "auth", "login", {}, {"name": "bob", "password": "right"})
        for name in ("passport", "everybody"):
            assert (await strategies.ask(name, request)).outcome.who.subject == "bob"

    play(scene, strategies=[Passport(), Counting()])


def test_an_identity_without_a_user_is_linked_by_a_chain(play):
    async def scene(inside):
        strategies, token = inside.host.security.strategies, await inside.user("bob-kuid")
        strategies.add(Chain("everybody", ["last", "passport"], strategies))
        body = {"name": "bob", "password": "right"}
        await inside.result("auth:link", body, token=token, strategy="everybody")
        assert await login(inside, "bob", "right") == "bob-kuid"

    play(scene, strategies=[Passport(), Counting()])


def test_a_refresh_is_refused_to_an_identity_that_lacks_what_is_required(play):
    """A strategy that asks again learns that the person may not log in any more."""

    async def scene(inside):
        await link(inside, "ann")
        identities, rules = inside.host.security.identities, inside.host.security.strategies["passport"].accounts
        await identities.refresh("passport", Identity("ann", {"country": "tr"}, {"seen": 1}), rules)
        with pytest.raises(errors.LoginRefused):
            await identities.refresh("passport", Identity("ann", {"country": "de"}, {"seen": 2}), rules)
        _, stored = await inside.host.security.credentials.find_of_user("passport", "ann-kuid")
        assert stored["seen"] == 1
        with pytest.raises(errors.NoCredentials):
            await identities.refresh("passport", Identity("bob", {"country": "tr"}), rules)

    play(scene, strategies=[Passport()], accounts={"passport": {"require": {"country": ["tr"]}}})


# -- found, made and linked


class Told(Passport):
    """Returns what the test says."""

    def __init__(self, outcome=None, name="passport", **rules):
        self.name, self.outcome, self.accounts = name, outcome, AccountRules(**rules)

    async def authenticate(self, request):
        return self.outcome(request) if callable(self.outcome) else self.outcome


def says(subject="Ann", profile=None, **more):
    return Success(Identity(subject, profile or {}, **more))


REFUSED = "plugin.strategy.missing_user"


async def log_in(inside, token=None, action="auth:login", strategy="passport"):
    return await inside.result(action, {}, strategy=strategy, token=token)


def test_the_first_login_makes_a_user_and_the_next_ones_find_it(play):
    profile = {"name": "Ann", "profileIds": ["admin"], "_id": "forged", "_kuzzle_info": {}, "deep": {"_x": 1}}

    async def scene(inside):
        first, second = [(await log_in(inside))["_id"] for _ in range(2)]
        assert first == second
        (content,) = (await inside.rows("users")).values()
        assert content["profileIds"] == ["default"]
        assert {key for key in content if not key.startswith("_")} == {"name", "deep", "profileIds"}
        assert content["_kuzzle_info"] != {}
        (kept,) = (await inside.rows("credentials-passport")).values()
        assert kept == {"userId": first, "seen": 1}

    kept = {"seen": 1, "userId": "forged", "granted": ["admin"]}
    play(scene, strategies=[Told(says(profile=profile, kept=kept), auto_create=True)])


def test_the_settings_win_over_the_strategy(play):
    profile = {"name": "Ann", "mail": "ann@x.example", "country": "tr", "evil": ["admin"]}
    rules = {
        "auto_create": True, "profiles": ["special"], "content": {"mail": "mail", "title": "name", "none": "absent", "profileIds": "evil"},
    }  # fmt: skip

    async def scene(inside):
        policies = {"policies": [{"roleId": "default"}]}
        await inside.result("security:createProfile", policies, _id="special")
        user_id = (await log_in(inside))["_id"]
        content = (await inside.rows("users"))[user_id]
        assert {key: content[key] for key in content if not key.startswith("_")} == {
            "mail": "ann@x.example",
            "title": "Ann",
            "profileIds": ["special"],
        }

    play(scene, strategies=[Told(says(profile=profile))], accounts={"passport": rules})


def test_the_settings_forbid_what_the_strategy_allows(play):
    async def scene(inside):
        assert await inside.error("auth:login", {}, strategy="passport") == REFUSED
        assert await inside.rows("users") == {}

    play(scene, strategies=[Told(says(), auto_create=True)], accounts={"passport": {"auto_create": False}})


@pytest.mark.parametrize(
    ("value", "admitted"),
    [
        ("tr", True),
        (["x", "tr"], True),
        ("TR", False),
        (True, False),
        (1, True),
        (1.0, False),
        ("1", False),
        (None, False),
    ],
)
def test_a_required_value_is_compared_with_its_type(play, value, admitted):
    async def scene(inside):
        refused = await inside.error("auth:login", {}, strategy="passport")
        assert refused == (None if admitted else REFUSED)
        assert len(await inside.rows("users")) == int(admitted)

    strategy = Told(says(profile={"country": value}), auto_create=True, require={"country": ("tr", 1)})
    play(scene, strategies=[strategy])


def test_concurrent_first_logins_make_one_user(play):
    async def scene(inside):
        found = await asyncio.gather(*(log_in(inside) for _ in range(50)))
        assert len({each["_id"] for each in found}) == 1
        assert len(await inside.rows("users")) == 1
        assert len(await inside.rows("credentials-passport")) == 1
        assert len(await inside.rows("tokens")) == 50

    play(scene, strategies=[Told(says(), auto_create=True)])


def test_profiles_are_granted_and_withdrawn(play):
    async def scene(inside):
        for name in ("staff", "extra"):
            await inside.result("security:createProfile", {"policies": [{"roleId": "default"}]}, _id=name)
        strategy = inside.host.security.strategies["passport"]

        async def profiles(*granted):
            strategy.outcome = says(profiles=granted)
            user_id = (await log_in(inside))["_id"]
            return (await inside.rows("users"))[user_id]["profileIds"]

        assert await profiles("staff", "absent") == ["default", "staff"]
        users = inside.host.security.users
        (user_id,) = await inside.rows("users")
        await users.merge(user_id, {"profileIds": ["default", "staff", "extra"]})  # an administrator's own
        assert await profiles("staff") == ["default", "extra", "staff"]
        assert await profiles() == ["default", "extra"]
        assert await profiles("extra") == ["default", "extra"]
        assert await profiles() == ["default", "extra"]  # nobody granted what an administrator did
        strategy.outcome = says()
        await log_in(inside)
        assert (await inside.rows("users"))[user_id]["profileIds"] == ["default", "extra"]

    play(scene, strategies=[Told(auto_create=True)])


def test_who_is_signed_in_links_an_identity(play):
    async def scene(inside):
        ann, bob = await inside.user("ann"), await inside.user("bob")
        result = await log_in(inside, ann, "auth:link")
        assert result["_id"] == "ann"
        assert (await log_in(inside))["_id"] == "ann"
        assert (await log_in(inside, ann, "auth:link"))["_id"] == "ann"  # the same again
        sent = {"strategy": "passport"}
        assert await inside.error("auth:link", {}, token=bob, **sent) == errors.SubjectTaken.id
        strategy = inside.host.security.strategies["passport"]
        strategy.outcome = says("Second")
        assert await inside.error("auth:link", {}, token=ann, **sent) == errors.UserLinked.id
        assert list(await inside.rows("credentials-passport")) == ["Ann"]
        assert await inside.error("auth:link", {}, **sent) == errors.LoginRequired.id
        assert sorted(await inside.rows("users")) == ["ann", "bob"]
        strategy.outcome = Success("bob")  # a strategy that knows users links nothing
        assert await inside.error("auth:link", {}, token=ann, **sent) == REFUSED
        strategy.outcome = Fail()
        assert await inside.error("auth:link", {}, token=ann, **sent) == REFUSED
        assert await inside.error("auth:link", {}, token=ann, strategy="nobody") == errors.UnknownStrategy.id
        assert await inside.error("auth:link", {}, token=ann, password="x", **sent) == errors.ForbiddenArgument.id

    play(scene, strategies=[Told(says())])


def test_the_challenge_of_a_link_is_answered_by_who_started_it(play):
    """Otherwise bob could have ann answer the challenge, and take the identity that ann proves."""

    async def scene(inside):
        ann, bob = await inside.user("ann"), await inside.user("bob")

        async def start():
            response = await inside.ask("auth:link", {}, strategy="passport", token=bob)
            return {"challenge": response.error.challenge["reference"]}

        for token in (ann, None):
            sent = {} if token is None else {"token": token}
            assert await inside.error("auth:login", await start(), strategy="passport", **sent) == REFUSED
        assert await inside.rows("credentials-passport") == {}
        result = await inside.result("auth:login", await start(), strategy="passport", token=bob)
        assert result["_id"] == "bob"

    class Asking(Told):
        async def answer(self, request, state):
            return says()

    play(scene, strategies=[Asking(Challenge())])


def test_a_link_that_redirects_is_answered_at_the_login(play):
    class Away(Told):
        async def authenticate(self, request):
            return Redirect(f"https://idp.example/?state={request.reference}", state={}, same_client=False)

        async def answer(self, request, state):
            return says()

    async def scene(inside):
        ann = await inside.user("ann")

        async def start():
            result = await inside.result("auth:link", {}, strategy="passport", token=ann)
            return {"challenge": result["headers"]["Location"].rpartition("state=")[2]}

        result = await inside.result("auth:login", await start(), strategy="passport")
        assert result["_id"] == "ann"
        bob, body = await inside.user("bob"), await start()
        assert await inside.error("auth:link", body, strategy="passport", token=bob) == REFUSED
        body = await start()
        await inside.host.security.accounts.delete("ann")
        assert await inside.error("auth:login", body, strategy="passport") == REFUSED
        assert await inside.rows("credentials-passport") == {}

    play(scene, strategies=[Away()])


def test_an_owner_who_is_deleted_meanwhile_leaves_no_identity(play):
    async def scene(inside):
        identities, rules = inside.host.security.identities, AccountRules()
        with pytest.raises(errors.LoginRefused):
            await identities.resolve("passport", Identity("Ann"), rules, "deleted")
        assert await inside.rows("credentials-passport") == {}

    play(scene, strategies=[Told()])


def test_a_storage_that_fails_at_the_end_leaves_nothing(play, monkeypatch):
    async def scene(inside):
        inner = inside.host.storage.inner
        original = type(inner).create

        async def create(self, collection, id, document):
            await original(self, collection, id, document)
            if collection == "credentials-passport":
                raise OSError("disk full")

        monkeypatch.setattr(type(inner), "create", create)
        assert await inside.error("auth:login", {}, strategy="passport") == errors.PluginFailed.id
        monkeypatch.undo()
        for collection in ("users", "credentials-passport", "tokens"):
            assert await inside.rows(collection) == {}
        assert await log_in(inside)

    play(scene, strategies=[Told(says(), auto_create=True)])
