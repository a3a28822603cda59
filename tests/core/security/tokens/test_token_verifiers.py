from __future__ import annotations

import asyncio

import pytest

from tests.core.security.tokens.verifiers import INVALID, Stub, add, behind, named, who
from visado import errors
from visado.strategy import Identity
from visado.token_verifier import TokenVerifier, Verified

ANN = "stub.ann"


@pytest.mark.parametrize(
    "wrong", [object(), Stub(name=""), Stub(name=None), Stub(timeout=0), Stub(concurrency=0), Stub]
)
def test_what_is_no_verifier_is_refused(play, wrong):
    async def scene(inside):
        with pytest.raises(TypeError):
            add(inside, wrong)

    play(scene)


def test_two_verifiers_of_one_name_are_refused_and_the_same_one_twice_is_one(play):
    async def scene(inside):
        stub = add(inside, Stub())
        add(inside, stub)
        with pytest.raises(ValueError, match="two token verifiers are called 'stub'"):
            add(inside, Stub())
        assert list(inside.host.security.token_verifiers) == [stub]

    play(scene)


def test_a_verifier_shares_the_name_of_a_strategy_of_its_own_plugin_alone(play):
    async def scene(inside):
        assert inside.host.security.strategies.plugin_of("local") == "local"
        with pytest.raises(ValueError, match="has the name of a strategy"):
            add(inside, Stub(name="local"), plugin="another")
        add(inside, Stub(name="local"), plugin="local")

    play(scene)


def test_verify_is_abstract():
    class Half(TokenVerifier):
        name = "half"

    with pytest.raises(TypeError):
        Half()


RUBBISH = [
    True,
    "ann",
    {"who": "ann"},
    Stub,
    Verified(None),
    Verified(""),
    Verified(7),
    Verified(Identity("")),
    Verified(Identity(None)),
    Verified(Identity("x" * 1_025)),
    Verified(Identity("\ud800")),
    Verified(Identity("ann", {"a": object()})),
    Verified(Identity("ann", kept={"a": float("nan")})),
    Verified(Identity("ann", profiles="admin")),
    Verified("ann", expires_at=float("inf")),
    Verified("ann", expires_at=True),
    Verified("ann", expires_at="tomorrow"),
    Verified("ann", recheck=float("inf")),
    Verified("ann", recheck=float("nan")),
    Verified("ann", recheck=-1),
    Verified("ann", recheck=None),
    Verified("ann", recheck=86_401),
    Verified("ann", allow="auth:getCurrentUser"),
    Verified("ann", allow={"auth:getCurrentUser"}),
    Verified("ann", allow=frozenset({1})),
    Verified("ann", session=None),
    Verified("ann", session={"a": object()}),
]


@pytest.mark.parametrize("said", RUBBISH, ids=repr)
def test_a_wrong_return_value_is_an_error_and_never_a_user(play, said):
    async def scene(inside):
        await inside.user("ann")
        add(inside, Stub(lambda _: said))
        response = await inside.ask("auth:getCurrentUser", token=ANN)
        assert (response.status, response.error.id) == (500, errors.InvalidVerification.id)
        assert list(inside.host.security.tokens.verified.foreign()) == []

    play(scene)


@pytest.mark.parametrize("found", [b"ann", 7, ["ann"], True])
def test_a_wrong_credential_of_find_is_an_error(play, found):
    async def scene(inside):
        stub = add(inside, Stub(named))
        stub.find = lambda _: found
        response = await inside.ask("auth:getCurrentUser")
        assert (response.status, response.error.id) == (500, errors.InvalidVerification.id)
        assert stub.asked == []

    play(scene)


def test_find_that_raises_is_an_error_of_the_log_and_nobody_is_anonymous_by_it(play, caplog):
    async def scene(inside):
        stub = add(inside, Stub(named))

        def find(_):
            raise ValueError("the cause")

        stub.find = find
        response = await inside.ask("auth:getCurrentUser")
        assert (response.status, response.error.id) == (500, errors.PluginFailed.id)
        assert "the cause" not in response.error.text
        assert "find() of the token verifier 'stub' failed" in caplog.text
        assert await inside.error("auth:getCurrentUser", token=await inside.user("ann")) is None

    play(scene)


def test_a_verifier_that_fails_prevents_no_login(play):
    async def scene(inside):
        stub = add(inside, Stub(named))
        for found in (lambda _: 1 / 0, lambda _: 7):
            stub.find = found
            assert await inside.error("auth:login", {}) == "plugin.strategy.missing_user"
            assert await inside.error("auth:getCurrentUser") is not None

    play(scene)


def test_an_error_of_visado_is_sent_as_it_is(play):
    async def scene(inside):
        def down(_):
            raise errors.Overloaded

        add(inside, Stub(down))
        assert await inside.error("auth:getCurrentUser", token=ANN) == errors.Overloaded.id

    play(scene)


@pytest.mark.parametrize("raised", [RuntimeError, KeyError, SystemExit, asyncio.CancelledError, TimeoutError])
def test_any_exception_is_a_500_and_never_a_user(play, raised):
    async def scene(inside):
        async def fail(_):
            raise raised("the cause")

        add(inside, Stub(fail))
        response = await inside.ask("auth:getCurrentUser", token=ANN)
        assert (response.status, response.error.id) == (500, errors.PluginFailed.id)
        assert "the cause" not in response.error.text

    play(scene)


def test_a_verifier_that_hangs_is_ended_after_its_timeout(play):
    async def scene(inside):
        add(inside, Stub(lambda _: asyncio.Event().wait(), timeout=0.01))
        response = await inside.ask("auth:getCurrentUser", token=ANN)
        assert (response.status, response.error.id) == (504, errors.VerifierTimeout.id)

    play(scene)


@pytest.mark.parametrize(
    "text",
    ["stub." + "x" * 20_000, "stub.é", "stub.\U0001f600", "stub.\ud800", "stub.\0", "stub. \r\nX: y"],
    ids=["long", "latin", "emoji", "surrogate", "nul", "line"],
)
def test_any_text_may_be_a_credential(play, text):
    async def scene(inside):
        await inside.user("ann")
        stub = add(inside, Stub(Verified("ann")))
        for _ in range(2):
            assert await who(inside, token=text) == "ann"
        assert stub.asked == [text]
        assert (await inside.result("auth:checkToken", {"token": text}))["valid"] is True

    play(scene)


def test_a_credential_of_more_than_64_ki_characters_is_invalid(play):
    async def scene(inside):
        await inside.user("ann")
        stub = add(inside, Stub(Verified("ann")))
        assert await inside.error("auth:getCurrentUser", token="stub." + "x" * 65_532) == INVALID
        assert stub.asked == []

    play(scene)


def test_an_empty_credential_is_none(play):
    async def scene(inside):
        stub = add(inside, Stub(Verified("ann")))
        assert await who(inside, connection=behind("")) == "-1"
        assert stub.asked == []

    play(scene)


def test_a_verifier_that_cannot_open_is_quarantined_and_one_that_cannot_close_is_logged(play, caplog):
    async def scene(inside):
        name = next(iter(inside.host.plugins)).name
        quarantined = []

        async def fail():
            raise RuntimeError("no thread")

        stub = add(inside, Stub(), plugin=name)
        stub.open = stub.close = fail
        await inside.host.security.token_verifiers.open(lambda *given: quarantined.append(given))
        assert quarantined == [(name, 'Caught an unexpected plugin error: the token verifier "stub" failed')]

    play(scene)
    assert "the token verifier 'stub' did not close" in caplog.text


def test_the_state_of_a_verifier_is_in_the_description_of_the_host(play):
    async def scene(inside):
        stub = add(inside, Stub())
        stub.problem = lambda: "no keys yet"
        add(inside, Stub(name="other"))
        info = (await inside.result("server:info"))["serverInfo"]["kuzzle"]
        assert info["tokenVerifiers"] == {"stub": "no keys yet", "other": "ready"}

    play(scene)
