"""Logins and users in routes of somebody's own application, beside a mounted host."""

from __future__ import annotations

import asyncio
import base64

import httpx
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

import visado
from visado import (
    AccountRules,
    Challenge,
    Event,
    Fail,
    Identity,
    LoginCheck,
    Observer,
    Redirect,
    Strategy,
    Success,
    TokenVerifier,
    Verified,
    errors,
)

ANN = {"username": "ann", "password": "correct horse battery"}


def own_application(tmp_path, *, lifespan):
    auth = visado.create_app({"server": {"data": str(tmp_path)}})

    async def call(method, request, *arguments):
        try:
            return await getattr(auth.state.visado, method)(*arguments)
        except errors.VisadoError as error:
            return JSONResponse(error.as_dict(), error.status)

    async def sign_in(request):
        body = await request.json() if request.method == "POST" else None
        reply = await call("login", request, request.path_params["strategy"], request, body)
        if isinstance(reply, JSONResponse):
            return reply
        response = JSONResponse(reply.result, reply.status)
        for name, value in reply.headers.items():
            if name.lower() != "content-length":
                response.headers[name] = value
        for cookie in reply.cookies:
            response.headers.append("set-cookie", cookie)
        return response

    async def who(request):
        user = await call("identify", request, request)
        return user if isinstance(user, JSONResponse) else JSONResponse({"id": user.id, "content": dict(user.content)})

    async def outcome(request):
        found = await call("authenticate", request, "local", request, await request.json())
        return JSONResponse({"outcome": type(found).__name__, "who": getattr(found, "who", None)})

    routes = [
        Route("/sign-in/{strategy}", sign_in, methods=["GET", "POST"]),
        Route("/who", who),
        Route("/outcome", outcome, methods=["POST"]),
        Mount("/auth", auth),
    ]
    return auth, Starlette(routes=routes, lifespan=visado.lifespan(auth) if lifespan else None)


def play(tmp_path, scene, *, lifespan=True, prepare=None):
    async def main():
        auth, app = own_application(tmp_path, lifespan=lifespan)
        if prepare is not None:
            prepare(auth)
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 5))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            user = {"content": {"profileIds": ["default"]}, "credentials": {"local": ANN}}
            created = await client.post("/auth/users/ann/_create", json=user)
            assert created.status_code == 200, created.text
            try:
                await scene(auth, client)
            finally:
                await auth.close()

    asyncio.run(main())


def test_a_login_in_a_route_of_ones_own_returns_a_token_that_the_host_knows(tmp_path):
    async def scene(auth, client):
        reply = await client.post("/sign-in/local", json=ANN)
        assert reply.status_code == 200, reply.text
        bearer = {"authorization": f"Bearer {reply.json()['jwt']}"}
        assert (await client.get("/auth/_me", headers=bearer)).json()["result"]["_id"] == "ann"
        assert (await client.get("/who", headers=bearer)).json()["id"] == "ann"
        await client.post("/auth/_logout", headers=bearer)
        assert (await client.get("/who", headers=bearer)).status_code == 401

    play(tmp_path, scene)


def test_a_request_without_a_token_is_of_the_anonymous_user_and_a_wrong_token_is_refused(tmp_path):
    async def scene(auth, client):
        assert (await client.get("/who")).json()["id"] == "-1"
        for header in ("Bearer nonsense", "Bearer kauth-x.y.z", f"Bearer {'x' * 20_000}"):
            refused = await client.get("/who", headers={"authorization": header})
            assert (refused.status_code, refused.json()["id"]) == (401, "security.token.invalid")

    play(tmp_path, scene)


def test_the_host_opens_at_the_first_call_where_no_lifespan_runs(tmp_path):
    async def scene(auth, client):
        await auth.close()
        assert (await client.post("/sign-in/local", json=ANN)).status_code == 200

    play(tmp_path, scene, lifespan=False)


def test_a_refused_login_is_an_error_of_the_catalogue_and_observers_are_told(tmp_path):
    told: list[Event] = []

    class Ear(Observer):
        async def observe(self, event):
            told.append(event)

    async def scene(auth, client):
        for body in (
            {**ANN, "password": "wrong"},
            {"username": "nobody", "password": "x"},
            {},
            {"username": 7, "password": []},
        ):
            refused = await client.post("/sign-in/local", json=body)
            assert (refused.status_code, refused.json()["id"]) == (401, "plugin.strategy.missing_user"), body
        assert [each.kind for each in told if each.kind.startswith("login")] == ["login.refused"] * 4
        assert {each.address for each in told if each.kind == "login.refused"} == {"127.0.0.1"}
        unknown = await client.post("/sign-in/nobody", json=ANN)
        assert unknown.json()["id"] == "security.credentials.unknown_strategy", unknown.text

    play(tmp_path, scene, prepare=lambda auth: auth.security.observers.add(Ear(), "ear"))


def test_the_outcome_of_a_strategy_is_no_login(tmp_path):
    async def scene(auth, client):
        right = (await client.post("/outcome", json=ANN)).json()
        assert right == {"outcome": "Success", "who": "ann"}
        wrong = (await client.post("/outcome", json={**ANN, "password": "x"})).json()
        assert wrong == {"outcome": "Fail", "who": None}

    play(tmp_path, scene)


class Word(LoginCheck):
    name = "word"

    async def check(self, login):
        return Challenge({"hint": "the word"})

    async def answer(self, login, state):
        return visado.Accept() if login.request.fields.get("word") == "please" else Fail()


def test_login_checks_are_asked(tmp_path):
    async def scene(auth, client):
        challenged = await client.post("/sign-in/local", json=ANN)
        assert (challenged.status_code, challenged.json()["id"]) == (401, "security.login.challenged")
        reference = challenged.json()["props"][-1]
        refused = await client.post("/sign-in/local", json={"challenge": reference, "word": "no"})
        assert refused.status_code == 401
        reference = (await client.post("/sign-in/local", json=ANN)).json()["props"][-1]
        reply = await client.post("/sign-in/local", json={"challenge": reference, "word": "please"})
        assert reply.json()["_id"] == "ann"

    play(tmp_path, scene, prepare=lambda auth: auth.security.login_checks.add(Word()))


class Far(Strategy):
    """Redirects to a provider, and takes whom the callback names."""

    name = "far"
    accounts = AccountRules(auto_create=True)

    async def authenticate(self, request):
        return Redirect(f"https://far.example/?state={request.reference}", state={"nonce": "n"})

    def reference(self, request):
        return request.args.get("state")

    async def answer(self, request, state):
        return Success(Identity(request.args["code"]), location="/welcome") if state == {"nonce": "n"} else Fail()


def test_who_acts_as_another_is_told_and_a_limited_token_identifies_nobody(tmp_path):
    told: list[Event] = []

    class Ear(Observer):
        async def observe(self, event):
            told.append(event)

    class As(Strategy):
        name = "as"

        async def authenticate(self, request):
            return Success(request.fields["user"], actor=request.user.id)

    class Key(TokenVerifier):
        name = "key"

        def find(self, request):
            return request.jwt

        async def verify(self, credential, request):
            return Verified("ann", allow=frozenset({"auth:getCurrentUser"}))

    def prepare(auth):
        auth.security.strategies.add(As())
        auth.security.token_verifiers.add(Key())
        auth.security.observers.add(Ear(), "ear")

    async def scene(auth, client):
        user = {"content": {"profileIds": ["default"]}, "credentials": {}}
        await client.post("/auth/users/bob/_create", json=user)
        own = {"authorization": f"Bearer {(await client.post('/sign-in/local', json=ANN)).json()['jwt']}"}
        as_bob = {
            "authorization": f"Bearer {(await client.post('/sign-in/as', json={'user': 'bob'}, headers=own)).json()['jwt']}"
        }
        told.clear()
        assert (await client.get("/who", headers=as_bob)).json()["id"] == "bob"
        assert [(each.kind, each.actor, each.target) for each in told] == [("impersonated", "ann", "bob")]
        assert (await client.get("/auth/_me", headers={"authorization": "Bearer key"})).status_code == 200
        assert (await client.get("/who", headers={"authorization": "Bearer key"})).status_code == 403

    play(tmp_path, scene, prepare=prepare)


def test_a_redirect_and_its_callback_go_through_routes_of_ones_own(tmp_path):
    async def scene(auth, client):
        start = await client.get("/sign-in/far")
        assert start.status_code == 302
        state = start.headers["location"].partition("state=")[2]
        other = await httpx.AsyncClient(transport=client._transport, base_url="http://127.0.0.1").get(
            f"/sign-in/far?code=ben&state={state}"
        )
        assert other.status_code == 401  # another browser
        back = await client.get(f"/sign-in/far?code=ben&state={state}")
        assert (back.status_code, back.headers["location"]) == (302, "/welcome"), back.text
        again = await client.get(f"/sign-in/far?code=ben&state={state}")
        assert again.status_code == 401
        assert (await client.get("/who")).json()["id"].startswith("kuid-")  # the cookie

    play(tmp_path, scene, prepare=lambda auth: auth.security.strategies.add(Far()))


def test_the_current_request_is_that_of_the_caller_again_afterwards(tmp_path):
    async def scene(auth, client):
        before = visado.current_request()
        await client.post("/outcome", json=ANN)
        assert visado.current_request() is before

    play(tmp_path, scene)


def test_hostile_headers_are_no_fault_of_the_host(tmp_path):
    async def scene(auth, client):
        basic = "Basic " + base64.b64encode(b"a:b").decode()
        for headers in (
            {"authorization": basic},
            {"cookie": "authToken=\x01; ;;="},
            {"cookie": "authToken=x"},
            {"authorization": "Bearer"},
        ):
            reply = await client.get("/who?a=%ff&&=&controller=x&action=y", headers=headers)
            assert reply.status_code in (200, 401), reply.text

    play(tmp_path, scene)
