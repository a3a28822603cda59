"""The host as a Starlette application: under another server, below a path of another application, with and without
its lifespan; the walk of the seeds in each."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import subprocess
import sys
import traceback
from contextlib import asynccontextmanager, contextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from websockets.sync.client import connect

import visado
from tests.ports import free_port
from tests.waiting import listens, until
from visado import Fail, asgi, errors
from visado import app as app_module
from visado.app import create_app
from visado.settings.loading import SettingsError
from visado.web.routes import raw_path

MELIS = {"username": "melis", "password": "password"}
USER = {"content": {"profileIds": ["default"]}, "credentials": {"local": MELIS}}

OUTER = """
import os, visado
from pathlib import Path
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

auth = visado.create_app({"server": {"data": os.environ["DATA"]}})

async def home(request):
    return PlainTextResponse("home")
"""
APPLICATIONS = {
    "asgi": ("", "from visado.asgi import app"),
    "starlette": (
        "/auth",
        OUTER + "app = Starlette(routes=[Route('/', home), Mount('/auth', auth)], lifespan=visado.lifespan(auth))",
    ),
    "starlette without lifespan": ("/auth", OUTER + "app = Starlette(routes=[Route('/', home), Mount('/auth', auth)])"),
    "fastapi": (
        "/auth",
        OUTER + "from fastapi import FastAPI\napp = FastAPI(lifespan=visado.lifespan(auth))\napp.mount('/auth', auth)",
    ),
    "below two paths": ("/a/b", OUTER + "app = Starlette(routes=[Mount('/a', Starlette(routes=[Mount('/b', auth)]))])"),
    "a path of other characters": ("/l%C3%B6g%20in", OUTER + "app = Starlette(routes=[Mount('/lög in', auth)])"),
}


@contextmanager
def uvicorn(folder, source, *arguments):
    """Stock uvicorn, with an application of this source; yields its port."""
    (folder / "outer.py").write_text(source)
    port = free_port()
    environment = {**os.environ, "DATA": str(folder / "data"), "VISADO_SERVER__DATA": str(folder / "data")}
    command = [sys.executable, "-m", "uvicorn", "outer:app", "--port", str(port), "--log-level", "warning", *arguments]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        until(
            lambda: listens("127.0.0.1", port) or process.poll() is not None, seconds=60, why=(folder / "log").read_text
        )
        assert process.poll() is None, (folder / "log").read_text()
        yield port
        assert process.poll() is None, (folder / "log").read_text()
    finally:
        process.terminate()
        process.wait(30)
    assert "Traceback" not in (folder / "log").read_text()


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("localhost", port, timeout=30)
    connection.request(
        method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json", **headers}
    )
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response, json.loads(data) if response.headers.get_content_type() == "application/json" else data


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_walk_of_the_seeds_in_every_application(tmp_path, name):
    base, source = APPLICATIONS[name]
    with uvicorn(tmp_path, source) as port:
        response, body = ask(port, "POST", f"{base}/users/_create", USER)
        assert response.status == 200, body
        assert re.fullmatch(r"kuid-[a-z]+-[a-z]+-\d+", body["result"]["_id"])
        response, body = ask(port, "POST", f"{base}/_login/local", MELIS)
        token = body["result"]["jwt"]
        for _ in range(3):  # the third is a cached response
            response, body = ask(port, "GET", f"{base}/_me", Authorization=f"Bearer {token}")
            assert (response.status, body["result"]["strategies"]) == (200, ["local"])
        response, body = ask(port, "POST", f"{base}/_login/local?cookieAuth=true", MELIS)
        assert f"Path={base or '/'};" in response.headers["set-cookie"]
        cookie = response.headers["set-cookie"].partition(";")[0]
        assert ask(port, "GET", f"{base}/_me", Cookie=cookie)[1]["result"]["strategies"] == ["local"]
        _, document = ask(port, "GET", f"{base}/_openapi")
        assert document["servers"] == [{"url": base or "/"}]
        assert "/_login/{strategy}" in document["paths"]
        response, body = ask(port, "GET", f"{base}/no/where")
        assert (response.status, body["error"]["id"]) == (404, "network.http.url_not_found")
        with connect(f"ws://localhost:{port}{base}/", proxy=None) as opened:
            opened.send(json.dumps({"controller": "auth", "action": "getCurrentUser", "jwt": token}))
            assert json.loads(opened.recv(20))["result"]["strategies"] == ["local"]
        if base:
            assert ask(port, "GET", "/_me")[0].status == 404
            if name in ("starlette", "starlette without lifespan"):
                assert ask(port, "GET", "/")[1] == b"home"


def test_a_root_path_of_the_server_is_no_part_of_the_routes(tmp_path):
    with uvicorn(tmp_path, APPLICATIONS["asgi"][1], "--root-path", "/auth") as port:
        assert ask(port, "POST", "/_checkToken", {"token": "x"})[0].status == 200
        assert ask(port, "GET", "/_openapi")[1]["servers"] == [{"url": "/auth"}]


@pytest.mark.parametrize("lifespan", ["auto", "on"])
def test_wrong_settings_fail_the_start(tmp_path, lifespan):
    (tmp_path / "visado.toml").write_text("[server]\nprot = 1\n")
    environment = {**os.environ, "VISADO_SERVER__DATA": str(tmp_path / "data")}
    command = [sys.executable, "-m", "uvicorn", "visado.asgi:app", "--port", "0", "--lifespan", lifespan]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "server.prot" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_settings_fail_every_request_where_no_lifespan_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "visado.toml").write_text("[server]\nprot = 1\n")

    async def scene():
        application = asgi.LazyApplication()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://localhost") as client:
            for _ in range(2):
                with pytest.raises(SettingsError, match=r"server\.prot"):
                    await client.get("/_me")

    asyncio.run(scene())
    assert [each.name for each in tmp_path.iterdir()] == ["visado.toml"]


def test_importing_the_asgi_module_reads_no_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "visado.toml").write_text("this is no toml")
    assert asgi.LazyApplication()._app is None


def test_requests_that_come_at_once_open_the_host_once(tmp_path, monkeypatch):
    opened = []
    storage_open = app_module.VersionedStorage.open

    async def slow_open(self):
        opened.append(self)
        await asyncio.sleep(0.05)  # subject: a storage that takes a while to open
        await storage_open(self)

    monkeypatch.setattr(app_module.VersionedStorage, "open", slow_open)

    async def scene():
        app = create_app({"server": {"data": str(tmp_path)}})
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            answers = await asyncio.gather(*(client.get("/_me") for _ in range(20)))
            assert [answer.json()["result"]["_id"] for answer in answers] == ["-1"] * 20
        await app.close()

    asyncio.run(scene())
    assert len(opened) == 1


def test_a_host_that_cannot_open_says_so_without_a_traceback_and_tries_again(tmp_path):
    async def scene():
        held = create_app({"server": {"data": str(tmp_path)}})
        await held.open()
        app = create_app({"server": {"data": str(tmp_path)}})  # whose files another process holds
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            answer = await client.get("/_me")
            assert (answer.status_code, answer.json()["error"]["id"]) == (500, errors.PluginFailed.id)
            assert "Traceback" not in answer.text
            await held.close()
            assert (await client.get("/_me")).status_code == 200
        await app.close()

    asyncio.run(scene())


def test_a_host_closes_and_opens_again_with_its_lifespan_also_after_a_request_opened_it(tmp_path):
    async def scene():
        auth = create_app({"server": {"data": str(tmp_path)}})
        async with httpx.AsyncClient(transport=httpx.ASGITransport(auth), base_url="http://localhost") as client:
            assert (await client.get("/_me")).status_code == 200
            for _ in range(2):
                async with auth.router.lifespan_context(auth):
                    assert (await client.get("/_me")).json()["result"]["_id"] == "-1"
                late = await client.get("/_me")
                assert (late.status_code, late.json()["error"]["id"]) == (503, errors.ShuttingDown.id)

    asyncio.run(scene())


def test_a_host_whose_parts_cannot_open_lets_go_of_its_storage(tmp_path):
    settings = {"server": {"data": str(tmp_path)}}
    broken = create_app(settings)

    async def fail():
        raise RuntimeError("canary")

    broken.switches.open = fail

    async def scene():
        with pytest.raises(RuntimeError):
            await broken.open()
        whole = create_app(settings)
        await whole.open()
        await whole.close()

    asyncio.run(scene())


def test_lifespans_nest_the_host_is_opened_first_and_closed_last(tmp_path):
    seen = []
    auth = create_app({"server": {"data": str(tmp_path)}})

    @asynccontextmanager
    async def outer(application):
        seen.append(("outer opens", auth._is_open))
        yield {"shared": 42}
        seen.append(("outer closes", not auth.pipeline.stopping))

    async def home(request):
        return PlainTextResponse(str(request.state.shared))

    application = Starlette(routes=[Route("/", home), Mount("/auth", auth)], lifespan=visado.lifespan(auth, outer))
    with TestClient(application, base_url="http://localhost") as client:
        assert client.get("/").text == "42"
        assert client.get("/auth/_me").json()["result"]["_id"] == "-1"
    assert seen == [("outer opens", True), ("outer closes", True)]
    assert auth.pipeline.stopping


def test_the_application_is_starlettes(tmp_path):
    auth = create_app({"server": {"data": str(tmp_path)}})
    assert isinstance(auth, Starlette)
    with TestClient(auth, base_url="http://localhost") as client:
        assert client.post("/_login/local", json=MELIS).status_code == 401
        with client.websocket_connect("/any/path") as opened:
            opened.send_json({"p": 1})
            assert opened.receive_json() == {"p": 2}
    assert auth.url_path_for("security:getUser", _id="a b") == "/users/a%20b"


def test_an_oauth_provider_sends_users_back_below_the_sub_path(tmp_path):
    provider = {"authorize_url": "https://id.example/authorize", "token_url": "https://id.example/token"}
    provider |= {
        "userinfo_url": "https://id.example/me",
        "client_id": "id",
        "client_secret": "secret",
        "identifier": "id",
    }
    settings = {
        "server": {"data": str(tmp_path), "public_url": "https://app.example/auth"},
        "oauth": {"providers": {"acme": provider}},
    }
    auth = create_app(settings)
    application = Starlette(routes=[Mount("/auth", auth)], lifespan=visado.lifespan(auth))
    with TestClient(application, base_url="https://app.example", follow_redirects=False) as client:
        answer = client.get("/auth/_login/acme")
    assert answer.status_code == 302, answer.text
    assert "redirect_uri=https%3A%2F%2Fapp.example%2Fauth%2F_login%2Facme" in answer.headers["location"]


def test_a_login_is_at_most_nine_calls_of_the_host_behind_starlettes(tmp_path, scripted):
    """The path is short enough to be read in one traceback."""
    stack = []

    async def outcome(_):
        stack.extend(frame.filename for frame in traceback.extract_stack())
        return Fail()

    async def scene():
        app = create_app({"server": {"data": str(tmp_path)}})
        app.security.strategies.add(scripted("probe", outcome))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            assert (await client.post("/_login/probe", json={})).status_code == 401
        await app.close()

    asyncio.run(scene())
    last_of_starlette = max(at for at, file in enumerate(stack) if "starlette" in file)
    assert sum("/visado/" in file for file in stack[last_of_starlette:]) <= 9


async def websocket(app, **scope):
    """Open a WebSocket with this scope; return what the application sent."""
    sent = []
    received = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}])

    async def receive():
        return next(received)

    async def send(message):
        sent.append(message["type"])

    base = {"type": "websocket", "scheme": "ws", "headers": [], "query_string": b"", "client": ("127.0.0.1", 5)}
    await app({**base, **scope}, receive, send)
    return sent


@pytest.mark.parametrize(
    ("path", "root"), [("/a\nb", ""), ("http://127.0.0.1/x", ""), ("*", ""), ("", ""), ("/auth", "/auth")]
)
def test_a_websocket_opens_on_every_path(tmp_path, path, root):
    async def scene():
        app = create_app({"server": {"data": str(tmp_path)}})
        assert await websocket(app, path=path, root_path=root) == ["websocket.accept"]
        await app.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("root", "raw", "path"),
    [
        ("", b"/_me?x", b"/_me"),
        ("/auth", b"/auth/_me", b"/_me"),
        ("/auth", b"/auth", b"/"),
        ("/auth", b"/auth_me", b"/auth_me"),
        ("/auth", b"/authority", b"/authority"),
        ("/auth", b"/_me", b"/_me"),
        ("/auth", b"/%61uth/users/a%2Fb", b"/users/a%2Fb"),
        ("/a/b", b"/a/b/users/a%2Fb/", b"/users/a%2Fb/"),
        ("/l\u00f6g in", b"/l%C3%B6g%20in/_me", b"/_me"),
    ],
)
def test_the_root_path_ends_at_a_segment(root, raw, path):
    from urllib.parse import unquote

    scope = {"raw_path": raw, "path": unquote(raw.partition(b"?")[0].decode()), "root_path": root}
    assert raw_path(scope) == path
    if b"%2F" not in raw:  # a server without raw paths does not tell this slash from others
        assert unquote(raw_path({**scope, "raw_path": None}).decode()) == unquote(path.decode())


def test_lifespans_that_overlap_open_the_host_once_and_the_last_one_closes_it(tmp_path):
    async def scene():
        app = create_app({"server": {"data": str(tmp_path)}})
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            first, second = app.running(), app.running()
            await asyncio.gather(first.__aenter__(), second.__aenter__(), client.get("/_me"))
            await first.__aexit__(None, None, None)
            assert (await client.get("/_me")).status_code == 200
            await second.__aexit__(None, None, None)
            assert (await client.get("/_me")).status_code == 503

    asyncio.run(scene())


def test_a_host_that_another_event_loop_opened_can_be_closed(tmp_path):
    app = create_app({"server": {"data": str(tmp_path)}})
    asyncio.run(app.open())
    asyncio.run(app.close())
    again = create_app({"server": {"data": str(tmp_path)}})
    asyncio.run(again.open())
    asyncio.run(again.close())


def test_a_page_of_a_plugin_receives_its_body_also_where_an_action_is_cacheable(tmp_path):
    async def page(request):
        return PlainTextResponse(await request.body())

    async def scene():
        app = create_app({"server": {"data": str(tmp_path)}})
        app._mounts.add_routes(app.plugins.get("local"), [Route("/_checkToken", page, methods=["POST"])])
        app._arrange()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            for _ in range(3):
                assert (await client.post("/_checkToken", json={"token": "a"})).text == '{"token":"a"}'
        await app.close()

    asyncio.run(scene())


@pytest.mark.parametrize("length", ["500", "0" * 5_000 + "500", "9" * 5_000])
def test_a_cacheable_request_over_the_limit_is_refused_in_the_protocols_words(tmp_path, length):
    async def scene():
        app = create_app({"server": {"data": str(tmp_path)}, "limits": {"request_size": 100}})
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            headers = {"content-type": "application/json", "content-length": length}
            for _ in range(3):
                answer = await client.post("/_checkToken", content=b'{"token": "%b"}' % (b"x" * 500), headers=headers)
                assert (answer.status_code, answer.json()["id"]) == (413, errors.RequestTooLarge.id)
        await app.close()

    asyncio.run(scene())


def test_a_get_with_a_body_is_never_answered_from_the_cache(tmp_path):
    async def scene():
        app = create_app({"server": {"data": str(tmp_path)}})
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            headers = {"content-type": "application/json", "content-length": "2"}
            for _ in range(3):
                assert (await client.request("GET", "/_me", content=b"{}", headers=headers)).status_code == 200
            assert (await client.request("GET", "/_me", content=b"{x", headers=headers)).status_code == 400
        await app.close()

    asyncio.run(scene())


def test_an_error_of_a_page_has_the_headers_of_every_response(tmp_path):
    async def page(_):
        raise RuntimeError("canary")

    async def scene():
        app = create_app({"server": {"data": str(tmp_path)}})
        app._mounts.add_routes(app.plugins.get("local"), [Route("/page", page)])
        app._arrange()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.get("/page")
            assert (answer.status_code, answer.json()["error"]["id"]) == (500, errors.PluginFailed.id)
            assert "canary" not in answer.text
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-kuzzle-request-id"] == answer.json()["requestId"]
        await app.close()

    asyncio.run(scene())
