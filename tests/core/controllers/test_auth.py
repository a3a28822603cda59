from __future__ import annotations

import asyncio

import pytest

from visado import AccountRules, Identity, Redirect, Strategy, Success

from .over_http import LOGIN, header, http, with_ann


def test_a_form_of_another_site_is_refused(play):
    async def scene(inside):
        for content in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
            status, found, body = await http(
                inside,
                "POST",
                "/_login/local?cookieAuth",
                LOGIN,
                headers=[("content-type", content), ("sec-fetch-site", "cross-site")],
            )
            assert status in (400, 401)
            assert header(found, "set-cookie") is None
            assert "result" not in body or body["result"] is None
        assert await inside.rows("tokens") == {}

    play(with_ann(scene))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"origin": "http://evil.example"}, 401),  # over http, browsers tell the origin alone
        ({"origin": "null"}, 401),
        ({"origin": "http://evil.example.com", "sec-fetch-site": "same-site"}, 401),
        ({"origin": "http://auth.example.com"}, 200),
        ({"origin": "http://auth.example.com", "sec-fetch-site": "same-site"}, 200),
        ({"origin": "http://behind.example", "sec-fetch-site": "same-origin"}, 200),
        ({}, 200),
    ],
)
def test_a_form_of_another_origin_is_refused(play, sent, status):
    async def scene(inside):
        headers = [("content-type", "application/x-www-form-urlencoded"), *sent.items()]
        path, form = "/_login/local?cookieAuth=true", f"username=ann&password={LOGIN['password']}"
        answered, found, _ = await http(inside, "POST", path, form, headers=headers)
        assert (answered, header(found, "set-cookie") is not None) == (status, status == 200)

    play(with_ann(scene))


def test_a_form_of_another_site_without_a_step_logs_nobody_in(play):
    """`posts_from` allows answers to a redirect of the same browser: another form would log a victim in as somebody."""

    async def scene(inside):
        inside.host.security.strategies.find("local").posts_from = frozenset({"https://idp.example"})
        headers = [
            ("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "cross-site"), ("origin", "https://idp.example"),
        ]  # fmt: skip
        for path in ("/_login/local", "/_logout"):
            status, _, body = await http(inside, "POST", path, "username=ann&password=password", headers=headers)
            assert (status, body["error"]["id"]) == (401, "api.process.unauthorized_origin")

    play(with_ann(scene))


class Federated(Strategy):
    """Sends everybody to a provider, and renews its sessions there: each renewal is another number."""

    name = "federated"
    accounts = AccountRules(auto_create=True, profiles=("admin",))

    def __init__(self):
        self.renewed = []

    async def authenticate(self, request):
        if request.fields.get("name"):
            return Success(Identity(request.fields["name"]), session={"number": 0})
        return Redirect("https://idp.example/", state={}, data={"more": 1})

    async def refresh(self, request, session):
        self.renewed.append(session)
        await asyncio.sleep(0)
        return {"session": {"number": session["number"] + 1}} if session else {"session": {"of": "another"}}


def test_a_link_answers_a_script_with_the_address_and_redirects_a_page(play):
    async def scene(inside):
        token = (await inside.result("auth:login", LOGIN, strategy="local"))["jwt"]
        path, bearer = "/_me/credentials/federated/_link", ("authorization", f"Bearer {token}")
        status, found, body = await http(inside, "POST", path, {}, headers=[bearer])
        assert (status, body["result"]["location"]) == (200, "https://idp.example/")
        assert body["result"]["more"] == 1
        assert "visado-login=" in header(found, "set-cookie")
        status, found, _ = await http(inside, "POST", path, {}, headers=[bearer, ("accept", "text/html,*/*;q=0.8")])
        assert (status, header(found, "location")) == (302, "https://idp.example/")

    play(with_ann(scene), strategies=[Federated()])


def test_a_strategy_renews_the_session_of_its_token_once(play):
    strategy = Federated()

    async def scene(inside):
        first = (await inside.result("auth:login", {"name": "bob"}, strategy="federated"))["jwt"]
        second = (await inside.result("auth:refreshToken", token=first, strategy="federated"))["jwt"]
        # The first still works for a while, but its session was renewed: the provider is not asked again.
        assert await inside.error("auth:refreshToken", token=first, strategy="federated") == "security.token.invalid"
        third = (await inside.result("auth:refreshToken", token=second, strategy="federated"))["jwt"]
        assert strategy.renewed == [{"number": 0}, {"number": 1}]
        assert (await inside.host.security.tokens.verify(third)).session == {"number": 2}
        # A token of another strategy takes over no session.
        local = (await inside.result("auth:login", LOGIN, strategy="local"))["jwt"]
        other = (await inside.result("auth:refreshToken", token=local, strategy="federated"))["jwt"]
        assert (await inside.host.security.tokens.verify(other)).session == {}

    play(with_ann(scene), strategies=[strategy])


def test_a_session_is_renewed_once_for_many_refreshes_at_once(play):
    strategy = Federated()

    async def scene(inside):
        token = (await inside.result("auth:login", {"name": "bob"}, strategy="federated"))["jwt"]
        asked = (inside.ask("auth:refreshToken", token=token, strategy="federated") for _ in range(50))
        assert sorted(each.status for each in await asyncio.gather(*asked)) == [200, *[401] * 49]
        assert strategy.renewed == [{"number": 0}]
        for wrong in (None, ["session"], {"session": 5}):

            async def refresh(request, session, wrong=wrong):
                return wrong

            strategy.refresh = refresh
            token = (await inside.result("auth:login", {"name": "bob"}, strategy="federated"))["jwt"]
            for _ in range(2):
                error = await inside.error("auth:refreshToken", token=token, strategy="federated")
                assert error == "plugin.strategy.invalid_verify_resolve"

    play(with_ann(scene), strategies=[strategy])


def test_a_form_of_another_site_that_names_two_strategies_is_refused(play):
    async def scene(inside):
        headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "cross-site")]
        form = "controller=auth&action=login&strategy=local&strategy=other"
        status, _, body = await http(inside, "POST", "/_query", form, headers=headers)
        assert (status, body["error"]["id"]) == (401, "api.process.unauthorized_origin")

    play(with_ann(scene))
