"""Further steps: a reference works once, in time, for the same browser or socket, and under the right name."""

from __future__ import annotations

import pytest

from visado.security.logins.steps import COOKIE, CROSS_SITE_COOKIE
from visado.security.strategies.chains import Chain
from visado.strategy import Challenge, Fail, Redirect, Success

from .scripts import FORM, Browser, Told, challenge, error, socket, values

IDP = "https://idp.example"
CROSS = [FORM, ("origin", IDP), ("sec-fetch-site", "cross-site")]
REFUSED = "plugin.strategy.missing_user"


def away(**more):
    """Redirect to the identity provider, with the reference as its state."""
    return lambda request: Redirect(f"{IDP}/?state={request.reference}", state={"n": 1}, data={"to": "idp"}, **more)


def oauth(**more):
    members = more.pop("members", {})
    return Told("told", away(**more), lambda request, state: Success("ann"), **members)


async def start(browser, name="told"):
    status, found, _ = await browser.login(name)
    assert status == 302
    return dict(found)["location"].rpartition("state=")[2]


def test_a_redirect_comes_back_once_in_time_to_the_same_browser(play):
    async def scene(inside):
        await inside.user("ann")
        browser, stranger = Browser(inside), Browser(inside)
        reference = await start(browser)
        (cookie,) = browser.set
        assert cookie.startswith(f"{COOKIE}=")
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600")
        await start(stranger)
        for other in (stranger, Browser(inside)):
            status, _, answer = await other.send("GET", f"/_login/told?state={reference}")
            assert (status, error(answer)) == (401, REFUSED)
        status, _, answer = await browser.send("GET", f"/_login/told?state={reference}")
        assert (status, answer["result"]["_id"]) == (200, "ann")
        status, _, answer = await browser.send("GET", f"/_login/told?state={reference}")
        assert (status, error(answer)) == (401, REFUSED)
        late = await start(browser)
        inside.clock.now += 600_000
        status, _, answer = await browser.send("GET", f"/_login/told?state={late}")
        assert (status, error(answer)) == (401, REFUSED)

    play(scene, strategies=[oauth()])


def test_over_https_only_a_host_cookie_counts(play):
    async def scene(inside):
        await inside.user("ann")
        browser = Browser(inside, scheme="https")
        reference = await start(browser)
        (cookie,) = browser.set
        assert cookie.startswith(f"__Host-{COOKIE}=")
        assert "; Secure" in cookie
        planted = Browser(inside, scheme="https")  # another host of the domain may set a cookie without the prefix
        planted.jar[COOKIE] = browser.jar[f"__Host-{COOKIE}"]
        assert error((await planted.send("GET", f"/_login/told?state={reference}"))[2]) == REFUSED
        assert (await browser.send("GET", f"/_login/told?state={reference}"))[0] == 200

    play(scene, strategies=[oauth()])


@pytest.mark.parametrize("value", ["", "x", "x" * 5_000, "é" * 43, "a b" * 14, "known"])
def test_a_cookie_that_the_host_did_not_make_binds_no_login(play, value):
    async def scene(inside):
        browser = Browser(inside)
        browser.jar[COOKIE] = value
        await start(browser)
        assert browser.jar[COOKIE] != value
        assert len(browser.jar[COOKIE]) == 43

    play(scene, strategies=[oauth()])


def test_the_reference_of_one_strategy_is_none_of_another(play):
    async def scene(inside):
        await inside.user("ann")
        browser = Browser(inside)
        reference = await start(browser)
        assert error((await browser.send("GET", f"/_login/other?state={reference}"))[2]) == REFUSED
        assert (await browser.send("GET", f"/_login/told?state={reference}"))[0] == 200

    play(scene, strategies=[oauth(), Told("other", Success("ann"), Success("ann"))])


def test_a_browser_has_at_most_five_logins_at_once(play):
    async def scene(inside):
        await inside.user("ann")
        browser = Browser(inside)
        references = []
        for _ in range(7):
            inside.clock.now += 1
            references.append(await start(browser))
        assert len(await inside.rows("challenges")) == 5
        statuses = [(await browser.send("GET", f"/_login/told?state={each}"))[0] for each in references]
        assert statuses == [401, 401, 200, 200, 200, 200, 200]

    play(scene, strategies=[oauth()])


def test_a_socket_continues_its_own_login_alone(play):
    async def scene(inside):
        await inside.user("ann")
        mine, other = socket(), socket()
        result = await inside.result("auth:login", {}, strategy="told", connection=mine)
        assert (result["statusCode"], result["to"]) == (302, "idp")
        reference = result["headers"]["Location"].rpartition("state=")[2]
        for connection in (other, None):
            sent = {"strategy": "told", "state": reference, "connection": connection}
            assert await inside.error("auth:login", {}, **sent) == REFUSED
        again = await inside.result("auth:login", {}, strategy="told", state=reference, connection=mine)
        assert again["_id"] == "ann"

    play(scene, strategies=[oauth()], limits={"logins_per_second": 100})


def test_a_strategy_may_prove_the_client_by_itself(play):
    async def scene(inside):
        await inside.user("ann")
        browser = Browser(inside)
        reference = await start(browser)
        assert browser.jar == {}
        status, _, answer = await Browser(inside).login("told", f"state={reference}", headers=CROSS)
        assert (status, error(answer)) == (401, "api.process.unauthorized_origin")
        reference = await start(browser)
        assert (await Browser(inside).send("GET", f"/_login/told?state={reference}"))[0] == 200

    play(scene, strategies=[oauth(same_client=False, members={"posts_from": frozenset({IDP})})])


# -- forms of other sites


def test_a_form_of_another_site_answers_a_step_of_the_same_browser_alone(play):
    async def scene(inside):
        await inside.user("ann")
        browser, victim = Browser(inside, scheme="https"), Browser(inside, scheme="https")
        reference = await start(browser)
        (cookie,) = browser.set
        assert cookie.startswith(f"__Host-{CROSS_SITE_COOKIE}=")
        assert "SameSite=None; Secure" in cookie
        await start(victim)
        for body in (f"state={reference}", "", "state=made-up", "state=klogin-unknown"):
            status, _, answer = await victim.login("told", body, headers=CROSS)
            assert status == 401, body
            assert error(answer) in (REFUSED, "api.process.unauthorized_origin")
        status, _, answer = await browser.login("told", f"state={reference}", headers=CROSS)
        assert (status, answer["result"]["_id"]) == (200, "ann")

    play(scene, strategies=[oauth(members={"posts_from": frozenset({IDP})})])


def test_a_form_of_a_site_that_is_not_expected_is_refused_before_the_strategy(play):
    async def scene(inside):
        await inside.user("ann")
        browser = Browser(inside, scheme="https")
        reference = await start(browser)
        for origin in ("https://evil.example", "https://idp.example.evil.example", "https://idp.example:444"):
            headers = [FORM, ("origin", origin), ("sec-fetch-site", "cross-site")]
            status, _, answer = await browser.login("told", f"state={reference}", headers=headers)
            assert (status, error(answer)) == (401, "api.process.unauthorized_origin")
        assert inside.host.security.strategies["told"].heard == []

    play(scene, strategies=[oauth(members={"posts_from": frozenset({IDP})})])


def test_a_form_of_another_site_answers_no_challenge(play):
    """A challenge is bound to no browser: whoever knows its reference could log a victim in."""

    async def scene(inside):
        await inside.user("ann")
        _, _, answer = await Browser(inside).login("told")
        reference = challenge(answer)["reference"]
        for origin in (IDP, "https://evil.example"):
            headers = [FORM, ("origin", origin), ("sec-fetch-site", "cross-site")]
            status, _, answer = await Browser(inside).login("told", f"challenge={reference}", headers=headers)
            assert (status, error(answer)) == (401, "api.process.unauthorized_origin")
        assert inside.host.security.strategies["told"].heard == []

    play(scene, strategies=[Told("told", Challenge(), Success("ann"), posts_from=frozenset({IDP}))])


@pytest.mark.parametrize("strategy", [[], {}, 5, None, True])
def test_a_strategy_that_is_no_text_opens_no_door_to_other_sites(play, strategy):
    async def scene(inside):
        connection = socket()
        connection.origin, connection.same_origin = "https://evil.example", False
        given = {"strategy": strategy, "connection": connection}
        assert await inside.error("auth:login", {}, **given) == "api.process.unauthorized_origin"

    play(scene, http={"allow_origins": []})


# -- challenges


def test_a_challenge_tells_its_data_and_keeps_its_state(play):
    state = {"code": "xyzzy-secret"}

    async def scene(inside):
        await inside.user("ann")
        status, _, answer = await Browser(inside).login("told")
        assert status == 401
        assert answer["error"]["message"] == "enter the code"
        told = challenge(answer)
        assert told | {"reference": None} == {
            "reference": None,
            "check": None,
            "strategy": "told",
            "expiresAt": inside.clock.now + 60_000,
            "data": {"sent": "by mail"},
        }
        assert "xyzzy" not in str(answer)
        assert "xyzzy" not in repr(inside.host.security.strategies["told"].outcome)
        assert (await inside.result("auth:login", {"challenge": told["reference"]}, strategy="told"))["_id"] == "ann"
        assert inside.host.security.strategies["told"].heard == [state]

    outcome = Challenge({"sent": "by mail"}, state, "enter the code", lifetime=60)
    play(scene, strategies=[Told("told", outcome, Success("ann"))])


@pytest.mark.parametrize(
    "reference", ["klogin-", "klogin-\u00e9", "klogin-" + "x" * 1_000_000, "klogin-\x00", "klogin-../x"]
)
def test_a_reference_that_the_host_did_not_make_is_refused(play, reference):
    async def scene(inside):
        assert await inside.error("auth:login", {"challenge": reference}, strategy="told") == REFUSED
        assert inside.host.security.strategies["told"].heard == []

    play(scene, strategies=[Told("told", Success("ann"), Success("ann"))])


@pytest.mark.parametrize("reference", [5, None, True, [], {}, ["klogin-x"], {"a": "klogin-x"}, "", "other", "\ud800"])
def test_what_is_no_reference_is_a_first_step(play, reference):
    async def scene(inside):
        response = await inside.ask("auth:login", {"challenge": reference}, strategy="told")
        assert response.error.text == "first step"

    play(scene, strategies=[Told("told", Fail("first step"), Success("ann"))])


@pytest.mark.parametrize("asked", ["chain", "told"])
def test_a_member_of_a_chain_that_challenges_is_answered_under_both_names(play, asked):
    async def scene(inside):
        await inside.user("ann")
        strategies = inside.host.security.strategies
        strategies.add(Chain("chain", ["first", "told"], strategies))
        response = await inside.ask("auth:login", {}, strategy="chain")
        reference = response.reply.result["challenge"]["reference"]
        assert response.reply.result["challenge"]["strategy"] == "told"
        body = {"challenge": reference}
        assert await inside.error("auth:login", body, strategy="first") == REFUSED
        result = await inside.result("auth:login", body, strategy=asked)
        assert (await inside.host.security.tokens.verify(result["jwt"])).strategy == "told"

    play(scene, strategies=[Told("first", Fail()), Told("told", Challenge(), Success("ann"))])


def test_a_member_of_a_chain_that_redirects_is_answered_under_both_names(play):
    """The chain did not read its member's `state`: the answer was taken for a new login, and redirected for ever."""

    async def scene(inside):
        await inside.user("ann")
        strategies = inside.host.security.strategies
        strategies.add(Chain("chain", ["first", "told"], strategies))
        for asked in ("chain", "told"):
            browser = Browser(inside)
            reference = await start(browser, "chain")
            status, _, answer = await browser.send("GET", f"/_login/{asked}?state={reference}")
            assert (status, answer["result"]["_id"]) == (200, "ann")

    play(scene, strategies=[Told("first", Fail()), oauth()])


def test_expired_steps_are_purged(play):
    async def scene(inside):
        browser = Browser(inside)
        await start(browser)
        inside.clock.now += 599_999
        await inside.host.security.pending_logins.purge()
        assert len(await inside.rows("challenges")) == 1
        inside.clock.now += 1
        await inside.host.security.pending_logins.purge()
        assert await inside.rows("challenges") == {}

    play(scene, strategies=[oauth()])


def test_the_storage_knows_no_reference_and_no_cookie(play):
    async def scene(inside):
        browser = Browser(inside)
        reference = await start(browser)
        stored = str(await inside.rows("challenges"))
        assert reference not in stored
        assert browser.jar[COOKIE] not in stored

    play(scene, strategies=[oauth()])


def test_a_reference_that_raises_or_is_no_text_is_the_fault_of_the_strategy(play):
    async def scene(inside):
        strategy = inside.host.security.strategies["told"]
        for wrong in (5, b"x", RuntimeError("hidden-cause")):

            def reference(request, wrong=wrong):
                if isinstance(wrong, Exception):
                    raise wrong
                return wrong

            strategy.reference = reference
            response = await inside.ask("auth:login", {}, strategy="told")
            assert response.error.id == "plugin.runtime.unexpected_error"
            assert "hidden" not in response.error.text
        assert await inside.rows("tokens") == {}

    play(scene, strategies=[Told("told", Success("ann"))])


def test_cookies_of_a_redirect_add_to_that_of_the_host(play):
    async def scene(inside):
        _, found, _ = await Browser(inside).login("told")
        assert values(found, "set-cookie")[0] == "a=1"
        assert len(values(found, "set-cookie")) == 2

    play(scene, strategies=[oauth(cookies=("a=1",))])
