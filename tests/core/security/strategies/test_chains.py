from __future__ import annotations

import pytest

from visado import app, errors
from visado.plugins.manager import StartError
from visado.security.strategies.chains import Chain
from visado.strategy import Fail, Pass, Redirect, Success


def raising(error):
    async def outcome(_request):
        raise error

    return outcome


def chained(*members):
    """These strategies, and a chain of them."""
    return [*members, lambda host: Chain("everybody", [each.name for each in members], host.security.strategies)]


async def login(inside):
    return await inside.ask("auth:login", {}, strategy="everybody")


@pytest.mark.parametrize("first", [Fail("not in the directory"), Pass()])
def test_fail_and_pass_go_on_to_the_next(play, scripted, first):
    async def scene(inside):
        await inside.host.security.users.create({"profileIds": ["default"]}, "ann")
        response = await login(inside)
        assert response.reply.result["_id"] == "ann"

    play(scene, strategies=chained(scripted("one", outcome=first), scripted("two", outcome=Success("ann"))))


@pytest.mark.parametrize(("first", "status"), [(Redirect("https://elsewhere.example/"), 302), (Success("ann"), 200)])
def test_success_and_redirect_end_it(play, scripted, first, status):
    async def scene(inside):
        await inside.host.security.users.create({"profileIds": ["default"]}, "ann")
        assert (await login(inside)).status == status

    play(
        scene,
        strategies=chained(
            scripted("one", outcome=first), scripted("two", outcome=raising(AssertionError("never asked")))
        ),
    )


def test_an_error_ends_it(play, scripted):
    async def scene(inside):
        await inside.host.security.users.create({"profileIds": ["default"]}, "ann")
        assert (await login(inside)).error.id == "services.storage.unavailable"

    play(
        scene,
        strategies=chained(
            scripted("one", outcome=raising(errors.StorageUnavailable())), scripted("two", outcome=Success("ann"))
        ),
    )


def test_failures_add_up(play, scripted):
    async def scene(inside):
        response = await login(inside)
        assert (response.status, response.error.text) == (401, "no such entry; wrong username or password")

    strategies = [
        scripted("one", outcome=Fail("no such entry")),
        scripted("two", outcome=Pass()),
        scripted("three", outcome=Fail("wrong username or password")),
    ]
    play(scene, strategies=chained(*strategies))


def test_when_all_pass_the_credentials_are_missing(play, scripted):
    async def scene(inside):
        response = await login(inside)
        assert (response.status, response.error.text) == (401, "Missing credentials")

    play(scene, strategies=chained(scripted("one", outcome=Pass())))


def test_a_chain_has_no_credentials_of_its_own(play, scripted):
    async def scene(inside):
        await inside.host.security.users.create({"profileIds": ["default"]}, "ann")
        assert await inside.error("security:createCredentials", {"a": 1}, strategy="everybody", _id="ann") == (
            "security.credentials.rejected"
        )
        assert (await inside.ask("security:hasCredentials", strategy="everybody", _id="ann")).reply.result is False

    play(scene, strategies=chained(scripted("one")))


def test_a_chain_is_a_setting(play):
    async def scene(inside):
        assert "everybody" in inside.host.security.strategies

    play(scene, chain={"everybody": {"strategies": ["local"]}})


@pytest.mark.parametrize("member", ["nobody", "everybody"])
def test_a_chain_of_what_is_not_there_stops_the_start(tmp_path, member):
    given = {"server": {"data": str(tmp_path)}, "chain": {"everybody": {"strategies": [member]}}}
    with pytest.raises(StartError, match=f"chain.everybody: no strategy is called '{member}'"):
        app.create_app(given)


def test_a_chain_asks_one_after_the_other(play, scripted):
    async def scene(inside):
        await inside.user("ann")
        members = {each.name: each for each in strategies}
        for one, two, expected in [
            (Fail("no"), Success("ann"), 200), (Pass(), Success("ann"), 200), (Success("ann"), Fail(), 200), (Fail("a"), Fail("b"), 401),
            (Pass(), Pass(), 401), (Redirect("/x"), Success("ann"), 302), (42, Success("ann"), 500),
        ]:  # fmt: skip
            members["one"].outcome, members["two"].outcome = one, two
            assert (await inside.ask("auth:login", {}, strategy="both")).status == expected

    strategies = [scripted("one"), scripted("two")]

    async def chained(inside):
        inside.host.security.strategies.add(Chain("both", ["one", "two"], inside.host.security.strategies))
        await scene(inside)

    play(chained, strategies=strategies)


def test_a_chain_takes_no_credentials_from_an_address_either(play):
    async def scene(inside):
        for strategy in ("local", "both"):
            response = await inside.ask("auth:login", {}, strategy=strategy, username="ann", password="canary")
            assert (response.error.id, response.status) == ("api.assert.forbidden_argument", 400), strategy

    play(scene, chain={"both": {"strategies": ["local"]}})
