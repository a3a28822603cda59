"""Hostile providers, clients and users: requirements OA1 to OA11."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import replace

import pytest

from visado import Actor, Fail, Redirect, Success
from visado_kit.canaries import capture_logs
from visado_kit.clock import Clock
from visado_kit.in_process import dump_documents
from visado_oauth.client import challenge_of
from visado_oauth.errors import ProviderFailed, ProviderTimeout, ProviderUnavailable, ReturnForbidden

from . import hostile
from .in_process import parameters, provider, settings, staged


@pytest.fixture
def shady():
    made = hostile.Hostile()
    yield made
    made.close()


@pytest.fixture
def play(tmp_path, shady):
    """Run a scene with the provider `shady`."""

    def run(scene, providers=None, clock=None, **more):
        async def main():
            given = settings(providers or {"shady": provider(shady.issuer, **more)})
            async with staged(tmp_path, given, clock) as stage:
                return await scene(stage)

        return asyncio.run(main())

    return run


def maker(sub="sub-1", **orders):
    return lambda nonce: hostile.code(sub, nonce, **orders)


# OA1: state


def test_a_state_is_bound_to_a_browser_used_once_and_expires(play):
    clock = Clock()

    async def scene(stage):
        sent, cookie = await stage.begin()
        back = {"code": hostile.code("sub-1", sent["nonce"]), "state": sent["state"]}
        other, others = await stage.begin()
        for args, shown in (
            ({"code": back["code"]}, cookie),
            ({**back, "state": back["state"][:-1] + "_"}, cookie),
            ({**back, "state": back["state"] + "." + "A" * 43}, cookie),
            ({**back, "state": f"klogin-{'A' * 43}"}, cookie),
            ({**back, "state": "of somebody else"}, cookie),
            ({**back, "state": other["state"]}, cookie),
            ({**back, "state": ""}, cookie),
            (back, None),
            (back, others),
            (back, cookie[:-2]),
            (back, cookie.replace(cookie[30:34], "AAAA")),
            (back, cookie.replace("__Host-visado-login=", "__Host-other=")),
            (back, cookie.removeprefix("__Host-")),
        ):
            assert isinstance(await stage.ask(args, cookie=shown), Fail), args
        assert isinstance(await stage.ask(back, cookie=cookie), Success)
        for _ in range(3):
            assert isinstance(await stage.ask(back, cookie=cookie), Fail)
        # A callback with the state of another login of the same browser has that login's nonce and verifier.
        sent, cookie = await stage.begin()
        again, _ = await stage.begin(cookie=cookie)
        mixed = {"code": hostile.code("sub-1", sent["nonce"]), "state": again["state"]}
        assert isinstance(await stage.ask(mixed, cookie=cookie), Fail)
        # Ten minutes later it is too old, however long the ID token is valid.
        lasting = maker(claims={"exp": int(time.time()) + 7_200})
        for seconds, outcome in ((599, Success), (601, Fail)):
            back, cookie = await stage.back(lasting)
            clock.advance(seconds)
            assert isinstance(await stage.ask(back, cookie=cookie), outcome)

    play(scene, clock=clock)


def test_one_of_many_concurrent_callbacks_succeeds(play):
    async def scene(stage):
        sent, cookie = await stage.begin()
        back = {"code": hostile.code("sub-1", sent["nonce"]), "state": sent["state"]}
        found = await asyncio.gather(*(stage.ask(back, cookie=cookie) for _ in range(20)))
        assert sum(isinstance(each, Success) for each in found) == 1

    play(scene)


def test_the_start_of_a_login_stores_five_pending_logins_of_a_browser_and_nothing_else(play):
    clock = Clock()

    async def scene(stage):
        _, cookie = await stage.begin()
        before = await dump_documents(stage.host)
        for _ in range(9):
            await stage.begin(cookie=cookie)
        after = await dump_documents(stage.host)
        assert {name for name in after if after[name] != before[name]} == {"challenges"}
        assert len(await stage.rows("challenges")) == 5
        clock.advance(601)
        await stage.host.security.pending_logins.purge()
        assert await stage.rows("challenges") == {}

    play(scene, clock=clock)


def test_a_client_without_cookies_needs_its_verifier(play):
    """The state alone logs nobody in, and does not use the login up."""
    verifier = "a-verifier-of-the-tests-with-at-least-43-characters"

    async def scene(stage):
        found = await stage.ask(body={"challenge": challenge_of(verifier)})
        assert found.status == 200
        assert not found.cookies
        sent = parameters(found.location)
        assert sent["state"] == found.data["state"]
        back = {"code": hostile.code("sub-1", sent["nonce"]), "state": sent["state"]}
        reference = sent["state"].partition(".")[0]
        for wrong in (
            {**back, "verifier": "b" * 43},
            {**back, "verifier": "short"},
            {**back, "verifier": [verifier]},
            {**back, "verifier": verifier + "\n"},
            {**back, "verifier": verifier, "state": reference + "." + challenge_of("b" * 43)},
            {**back, "verifier": "b" * 43, "state": "klogin-" + "A" * 43 + "." + challenge_of("b" * 43)},
            back,
        ):
            assert isinstance(await stage.ask(body=wrong), Fail), wrong
        assert isinstance(await stage.ask(back), Fail)
        assert isinstance(await stage.ask({**back, "verifier": verifier}), Fail)  # URLs are written to logs
        assert isinstance(await stage.ask(body={**back, "verifier": verifier}), Success)
        assert isinstance(await stage.ask(body={**back, "verifier": verifier}), Fail)
        # Who changes the state uses it up, and still gets nothing without the verifier.
        for guess in ({}, {"verifier": "b" * 43}):
            found = await stage.ask(body={"challenge": challenge_of(verifier)})
            sent = parameters(found.location)
            bare = {"code": hostile.code("sub-1", sent["nonce"]), "state": sent["state"].partition(".")[0], **guess}
            for request in ({"body": bare}, {"args": bare}):
                assert isinstance(await stage.ask(**request), Fail), bare

    play(scene)


def _all():
    from visado import Query

    return Query()


# OA2: PKCE


def test_every_login_has_its_own_challenge(play, shady):
    async def scene(stage):
        challenges, states, nonces = set(), set(), set()
        for _ in range(10_000):
            sent = parameters((await stage.strategy().authenticate(stage.request())).location)
            assert sent["code_challenge_method"] == "S256"
            challenges.add(sent["code_challenge"])
            states.add(sent["state"])
            nonces.add(sent["nonce"])
        assert len(challenges) == len(states) == len(nonces) == 10_000
        await stage.log_in(maker())
        verifier = next(form["code_verifier"] for path, form in shady.forms if path == "/token")
        assert len(base64.urlsafe_b64decode(verifier + "=")) * 8 >= 256

    play(scene)


# OA3: ID tokens

WRONG = {
    "alg none": {"alg": "none"},
    "HS256 with the secret": {"alg": "HS256", "key": "secret"},
    "HS256 with the public key": {"alg": "HS256", "key": "public"},
    "unknown alg": {"alg": "XX999"},
    "unknown alg, no at_hash": {"alg": "RS1", "drop": ["at_hash"]},
    "another key": {"key": "other"},
    "another key, no kid": {"key": "other", "kid": None},
    "unknown kid": {"kid": "nobody"},
    "kid is a path": {"kid": "../../dev/null"},
    "kid is a number": {"kid": 7},
    "key in the header": {"key": "other", "kid": None, "header": {"jwk": {"kty": "RSA", "n": "AQ", "e": "AQAB"}}},
    "algorithm of another kind of key": {"alg": "ES256", "key": "ec", "kid": "rsa-0"},
    "crit": {"header": {"crit": ["exp"], "exp": 1}},
    "wrong iss": {"claims": {"iss": "https://evil.example"}},
    "iss in a list": {"claims": {"iss": ["a"]}},
    "no iss": {"drop": ["iss"]},
    "wrong aud": {"claims": {"aud": "somebody-else"}},
    "no aud": {"drop": ["aud"]},
    "aud is true": {"claims": {"aud": True}},
    "two aud without azp": {"claims": {"aud": ["hosts-id", "another"]}},
    "two aud with another azp": {"claims": {"aud": ["hosts-id", "another"], "azp": "another"}},
    "another azp": {"claims": {"azp": "another"}},
    "expired": {"claims": {"exp": int(time.time()) - 60}},
    "exp is a text": {"claims": {"exp": "never"}},
    "exp is true": {"claims": {"exp": True}},
    "exp is infinite": {"claims": {"exp": 1e300}},
    "no exp": {"drop": ["exp"]},
    "no iat": {"drop": ["iat"]},
    "from the future": {"claims": {"iat": int(time.time()) + 86_400}},
    "not valid yet": {"claims": {"nbf": int(time.time()) + 86_400}},
    "no nonce": {"drop": ["nonce"]},
    "another nonce": {"claims": {"nonce": "another"}},
    "nonce is null": {"claims": {"nonce": None}},
    "wrong at_hash": {"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}},
    "at_hash is a number": {"claims": {"at_hash": 1}},
    "no sub": {"drop": ["sub"]},
    "empty sub": {"claims": {"sub": ""}},
    "sub is a list": {"claims": {"sub": ["sub-1"]}},
    "sub with a break": {"claims": {"sub": "sub\n1"}},
    "userinfo of another": {"userinfo": {"sub": "sub-2"}},
    "userinfo of nobody": {"userinfo": {}},
    "no ID token": {"token": {"id_token": None}},
    "ID token is a number": {"token": {"id_token": 1}},
    "ID token is rubbish": {"token": {"id_token": "a.b.c"}},
    "ID token is huge": {"token": {"id_token": "a" * 100_000}},
}


def test_invalid_id_tokens_are_refused(play, shady):
    async def scene(stage):
        assert isinstance(await stage.log_in(maker()), Success)
        slash = {"iss with a slash": {"claims": {"iss": f"{shady.issuer}/"}}}
        for name, orders in {**WRONG, **slash}.items():
            assert isinstance(await stage.log_in(maker(**orders)), Fail), name
        assert isinstance(await stage.log_in(maker()), Success)
        assert isinstance(await stage.log_in(maker(claims={"aud": ["hosts-id"], "azp": "hosts-id"})), Success)
        assert isinstance(await stage.log_in(maker(alg="ES256")), Success)

    play(scene)


# OA4: mix-up


def test_one_provider_cannot_respond_for_another(play, shady):
    honest = hostile.Hostile()
    honest.metadata["authorization_response_iss_parameter_supported"] = True
    both = {
        "shady": provider(shady.issuer),
        "honest": provider(honest.issuer, redirect_uri="https://auth.example.com/_login/honest"),
    }

    async def scene(stage):
        sent, cookie = await stage.begin("honest")
        back = {"code": hostile.code("sub-1", sent["nonce"]), "state": sent["state"]}
        assert isinstance(await stage.ask(back, name="shady", cookie=cookie), Fail)
        assert isinstance(await stage.ask({**back, "iss": honest.issuer}, name="shady", cookie=cookie), Fail)
        assert shady.count("/token") == 0
        for issuer in (shady.issuer, f"{honest.issuer}/", None):
            sent, cookie = await stage.begin("honest")
            back = {"code": hostile.code("sub-1", sent["nonce"]), "state": sent["state"]}
            named = {**back, "iss": issuer} if issuer else back
            assert isinstance(await stage.ask(named, name="honest", cookie=cookie), Fail)
        assert honest.count("/token") == 0
        sent, cookie = await stage.begin("honest")
        back = {"code": hostile.code("sub-1", sent["nonce"]), "state": sent["state"], "iss": honest.issuer}
        one = await stage.ask(back, name="honest", cookie=cookie)
        two = await stage.log_in(maker())
        assert isinstance(one, Success)
        assert isinstance(two, Success)
        assert one.who != two.who
        # A token of one provider is rejected at the other.
        sent, cookie = await stage.begin("honest")
        stolen = shady.id_token({"sub": "sub-1", "nonce": sent["nonce"]})
        back = {"code": hostile.code("sub-1", sent["nonce"], token={"id_token": stolen}), "state": sent["state"]}
        assert isinstance(await stage.ask({**back, "iss": honest.issuer}, name="honest", cookie=cookie), Fail)

    try:
        play(scene, both)
    finally:
        honest.close()


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"authorization_endpoint": "http://evil.example/"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": "https://user:password@evil.example/"},
        {"jwks_uri": None},
        {"token_endpoint": 7},
    ],
)
def test_invalid_metadata_makes_the_provider_unavailable(tmp_path, shady, metadata):
    shady.metadata = metadata

    async def scene():
        async with staged(tmp_path, settings({"shady": provider(shady.issuer)})) as stage:
            with pytest.raises(ProviderUnavailable):
                await stage.ask()
            assert stage.strategy().problem()

    asyncio.run(scene())


# OA5: accounts


def test_only_issuer_and_subject_identify_a_user(play):
    async def scene(stage):
        host = stage.host
        victim = await host.security.users.create({"profileIds": ["default"], "email": "ann@example.com"}, "ann")
        await stage.strategy().create("ann", {"sub": "sub-of-ann", "email": "ann@example.com"}, Actor("administrator"))
        found = {}
        for sub, said in (
            ("one", {"email": "ann@example.com"}),
            ("two", {"email": "ann@example.com", "email_verified": False}),
            ("three", {"email": "ann@example.com", "email_verified": "true"}),
            ("four", {"email": "ann@example.com", "email_verified": True}),
            ("SUB-OF-ANN", {"email": "ann@example.com", "email_verified": True}),
            ("sub-of-ann ", {}),
            ("ann", {}),
        ):
            outcome = await stage.log_in(maker(sub, claims=said))
            found[sub] = getattr(outcome, "who", None)
        assert found.pop("sub-of-ann ") is None
        assert victim.id not in found.values()
        assert len(set(found.values())) == len(found)
        again = await stage.log_in(maker("one", claims={"email": "other@example.com"}))
        assert again.who == found["one"]
        assert (await stage.log_in(maker("sub-of-ann"))).who == "ann"

    play(scene, persist=["email"])


def test_concurrent_first_logins_create_one_user(play):
    async def scene(stage):
        begun = [await stage.begin() for _ in range(10)]
        found = await asyncio.gather(
            *(
                stage.ask({"code": hostile.code("sub-1", sent["nonce"]), "state": sent["state"]}, cookie=cookie)
                for sent, cookie in begun
            )
        )
        assert len({each.who for each in found}) == 1
        page = await stage.host.security.users.search(_all()) if hasattr(stage.host.security.users, "search") else None
        assert page is None or page.total == 1

    play(scene)


# OA7


def test_no_header_changes_the_redirect_uri(play):
    async def scene(stage):
        request = stage.request()
        headers = {b"host": b"evil.example", b"x-forwarded-host": b"evil.example", b"forwarded": b"host=evil.example"}
        request.connection = replace(request.connection, headers=headers)
        found = await stage.strategy().authenticate(request)
        assert parameters(found.location)["redirect_uri"] == "https://auth.example.com/_login/shady"
        assert "evil" not in found.location

    play(scene)


# OA8: responses

MODES = {
    "redirect": ProviderFailed,
    "hang": ProviderTimeout,
    "drip": ProviderTimeout,
    "huge": ProviderFailed,
    "bomb": ProviderFailed,
    "html": ProviderFailed,
    "deep": ProviderFailed,
    "cut": ProviderFailed,
    500: ProviderFailed,
}


@pytest.mark.parametrize("path", ["/token", "/jwks", "/userinfo"])
def test_redirects_and_endless_or_huge_responses_fail(play, shady, path):
    async def scene(stage):
        for mode, error in MODES.items():
            shady.modes = {path: mode}
            stage.strategy()._keys._failed = None
            begun = time.monotonic()
            with pytest.raises(error) as caught:
                await stage.log_in(maker())
            assert caught.value.status in (502, 504)
            assert time.monotonic() - begun < 3
            assert mode != "huge" or shady.sent < 20_000_000
        shady.modes = {}
        stage.strategy()._keys._failed = None
        assert isinstance(await stage.log_in(maker()), Success)

    play(scene)


def test_errors_of_the_token_endpoint_deny_the_login(play):
    async def scene(stage):
        for word in ("invalid_grant", "invalid_client", "server_error", "<script>", "x" * 10_000, "\r\n"):
            found = await stage.log_in(maker(error=word))
            assert isinstance(found, Fail)
            assert word not in found.reason
        for status in (400, 401, 403, 404, 429):
            assert isinstance(await stage.log_in(maker(error=" ", status=status)), Fail)

    play(scene)


def test_an_error_in_the_callback_is_shown_shortened(play):
    async def scene(stage):
        for args, shown in (
            ({"error": "access_denied", "error_description": "No, thank you."}, "No, thank you."),
            ({"error": "server_error"}, "server_error"),
        ):
            sent, cookie = await stage.begin()
            found = await stage.ask({**args, "state": sent["state"]}, cookie=cookie)
            assert isinstance(found, Fail)
            assert found.reason == shown
        unbound = await stage.ask({"error": "x", "error_description": "of somebody else", "state": "none"})
        assert unbound.reason != "of somebody else"

    play(scene)


# OA9: keys


def test_unknown_keys_are_fetched_once_a_minute(play, shady):
    async def scene(stage):
        now = time.monotonic()
        keys = stage.strategy()._keys
        keys._clock = lambda: now
        assert isinstance(await stage.log_in(maker()), Success)
        before = shady.count("/jwks")
        for number in range(1_000):
            token = shady.id_token({"sub": "sub-1", "kid": f"random-{number}"})
            with pytest.raises(Exception, match="no key"):
                await keys.verify(token, ["RS256"])
        assert shady.count("/jwks") - before <= 1
        hostile.rotate(shady, 2)
        now += 60
        assert isinstance(await stage.log_in(maker(key="other", kid="rsa-2")), Fail)  # another key under this id
        assert shady.count("/jwks") - before == 1
        assert isinstance(await stage.log_in(maker(key="third", kid="rsa-2")), Success)

    play(scene)


# OA10: e-mail addresses


def test_email_addresses_are_normalised_before_they_are_compared(play):
    async def scene(stage):
        for address, allowed in (
            ("ann@corp.com", True),
            ("Ann@CORP.com", True),
            ("admin\uff20corp.com", True),  # full-width: normalised, then compared
            ("ann@evil.com\uff20corp.com", False),
            ("ann@corp.com@evil.com", False),
            ("ann@corp.com.evil.com", False),
            ("ann@xcorp.com", False),
            ("ann@c\u043erp.com", False),  # a Cyrillic o
            ("ann@corp.com\0", False),
            ("@corp.com", False),
            (["ann@corp.com"], False),
        ):
            said = {"email": address, "email_verified": True}
            found = await stage.log_in(maker(f"sub of {json.dumps(address)}", claims=said))
            assert isinstance(found, Success) == allowed, address
        for verified in (False, None, "true", 1):
            said = {"email": "ann@corp.com", "email_verified": verified}
            assert isinstance(await stage.log_in(maker(claims=said)), Fail)
        vouched = {"sub": "sub-1", "email_verified": True}
        assert isinstance(await stage.log_in(maker(claims={"email": "a@corp.com"}, userinfo=vouched)), Fail)
        row = await stage.strategy().by_id('sub of "admin\\uff20corp.com"')
        assert row["email"] == "admin@corp.com"

    play(scene, require={"email_domain": ["corp.com"]}, persist=["email"])


# OA11: a failed provider is unavailable alone


def test_a_failed_provider_does_not_affect_others_and_recovers(tmp_path, shady, monkeypatch):
    shady.modes = {"/.well-known/openid-configuration": 500}
    good = hostile.Hostile()
    providers = {
        "shady": provider(shady.issuer),
        "good": provider(good.issuer),
        "poor": {**provider(good.issuer), "client_secret": None},
        "odd": {"provider": "no-such-provider", "client_id": "x", "client_secret": "y", "redirect_uri": "https://a/"},
        "private": provider("https://10.0.0.1"),
        "plain": provider("http://192.0.2.1"),
        "elsewhere": {"provider": "keycloak", "client_id": "x", "client_secret": "y", "redirect_uri": "https://a/"},
    }

    async def scene():
        async with staged(tmp_path, settings(providers)) as stage:
            for name, reason in (
                ("shady", "500"),
                ("poor", "client_secret"),
                ("odd", "catalogue"),
                ("private", "private address"),
                ("plain", "not https"),
                ("elsewhere", "variables."),
            ):
                with pytest.raises(ProviderUnavailable) as caught:
                    await stage.ask(name=name)
                assert caught.value.status == 503
                assert reason in str(stage.strategy(name).problem()), name
            sent, _ = await stage.begin("good")
            assert sent["client_id"] == "hosts-id"
            shady.modes = {}
            stage.strategy()._discovery._tried_at = -1_000
            assert isinstance(await stage.ask(), Redirect)
            assert stage.strategy().problem() is None

    try:
        asyncio.run(scene())
    finally:
        good.close()


# Addresses, secrets


def test_browsers_return_to_listed_addresses_only(play):
    async def scene(stage):
        for address in (
            "https://app.example.com/",
            "https://app.example.com/deep/er?x=1#y",
            "https://APP.example.com:443/",
            "https://one.example.com/exactly",
        ):
            sent, cookie = await stage.begin(args={"return_to": address})
            back = {"code": hostile.code("sub-1", sent["nonce"]), "state": sent["state"]}
            found = await stage.ask(back, cookie=cookie)
            assert found.location == address
        for address in (
            "//evil.example",
            "/\\evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            "https://app.example.com.evil.example/",
            "https://app.example.com@evil.example/",
            "https://app.example.com:444/",
            "http://app.example.com/",
            "https://app.example.com\\@evil.example/",
            "https://app.example.com/%0d%0aSet-Cookie:x",
            "https://app.example.com/\r\nSet-Cookie: x",
            "https://one.example.com/exactly/below",
            "https://one.example.com/other/../exactly",
            "https://evil.example/?https://app.example.com/",
            " https://app.example.com/",
            "https://app.example.com/" + "a" * 3_000,
        ):
            if address.endswith("Set-Cookie:x"):
                continue  # stays encoded, so it is an ordinary URL
            try:
                found = await stage.ask({"return_to": address})
            except ReturnForbidden:
                continue
            assert isinstance(found, Fail), address

    play(scene, return_to=["https://app.example.com/", "https://one.example.com/exactly"])


def test_no_secret_is_logged_or_shown(play, shady):
    async def scene(stage):
        with capture_logs() as log:
            sent, cookie = await stage.begin()
            code = hostile.code("sub-1", sent["nonce"], token={"refresh_token": "canary-of-the-refresh-token"})
            back = {"code": code, "state": sent["state"]}
            found = await stage.ask(back, cookie=cookie)
            assert isinstance(found, Success)
            again = await stage.ask(back, cookie=cookie)
            shady.modes = {"/token": "html"}
            with pytest.raises(ProviderFailed) as caught:
                await stage.log_in(maker())
            shown = await stage.strategy().info(found.who)
        form = next(form for path, form in shady.forms if path == "/token")
        rows = (await stage.host.security.credentials.search("shady", _all())).hits
        texts = [
            log.getvalue(),
            repr(rows),
            repr(again),
            repr(shown),
            str(caught.value.as_dict()),
            repr(stage.strategy()),
        ]
        for secret in (
            hostile.SECRET,
            code,
            form["code_verifier"],
            "canary-of-the-refresh-token",
            cookie.split("=")[1],
        ):
            assert all(secret not in text for text in texts)
        assert hostile.SECRET not in sent["state"]
        assert form["code_verifier"] not in cookie

    play(scene)


# OAuth without OpenID


def test_oauth_without_openid_reads_the_user_from_the_api(tmp_path, shady):
    (tmp_path / "records").mkdir()
    (tmp_path / "records/acme.toml").write_text(
        f"""
        title = "Acme"
        docs = "https://acme.example"
        issuer = "https://acme.example"
        openid = false
        authorize_url = "{shady.issuer}/authorize"
        token_url = "{shady.issuer}/token"
        token_auth = "client_secret_post"
        pkce = false
        scopes = ["a", "b"]
        scope_separator = ","
        email_trust = "never"
        [claims]
        sub = "data.user.id"
        team = "token.team.id"
        [[requests]]
        url = "{shady.issuer}/userinfo"
        into = "data"
        [[requests]]
        url = "{shady.issuer}/nothing"
        into = "more"
        optional = true
        """
    )
    plain = {"authorize_url": f"{shady.issuer}/authorize", "token_url": f"{shady.issuer}/token"}
    client = {"client_id": "hosts-id", "client_secret": hostile.SECRET, "redirect_uri": "https://a.example/"}
    providers = {
        "plain": {**plain, **client, "userinfo_url": f"{shady.issuer}/userinfo", "persist": ["name"]},
        "acme": {**client, "provider": "acme", "attributes": {"data.user.tags[1]": "tag", "team": "team"}},
    }

    async def scene():
        async with staged(tmp_path, settings(providers, catalogue=str(tmp_path / "records"))) as stage:
            sent, _ = await stage.begin("plain")
            assert "nonce" not in sent
            assert sent["code_challenge_method"] == "S256"
            found = await stage.log_in(maker(userinfo={"id": 7, "name": "Seven"}), name="plain")
            assert await stage.strategy("plain").info(found.who) == {
                "sub": "7",
                "iss": shady.issuer,
                "name": "Seven",
            }
            again = await stage.log_in(maker(userinfo={"id": "7"}), name="plain")
            assert again.who == found.who
            for nobody in ({}, {"id": None}, {"id": True}, {"id": 0}, {"id": ""}, {"id": ["7"]}, {"id": 1.5}, [], "7"):
                outcome = None
                try:
                    outcome = await stage.log_in(maker(userinfo=nobody), name="plain")
                except ProviderFailed:
                    continue
                assert isinstance(outcome, Fail), nobody

            sent, _ = await stage.begin("acme")
            assert sent["scope"] == "a,b"
            assert "code_challenge" not in sent
            said = {"user": {"id": "u-1", "tags": ["x", "y"]}}
            made = maker(userinfo=said, token={"team": {"id": "t"}, "id_token": None})
            found = await stage.log_in(made, name="acme")
            assert "code_verifier" not in next(form for path, form in reversed(shady.forms) if path == "/token")
            shown = await stage.strategy("acme").info(found.who)
            assert shown == {"sub": "u-1", "iss": "https://acme.example", "tag": "y", "team": "t"}

    asyncio.run(scene())
