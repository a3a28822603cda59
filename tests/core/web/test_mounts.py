from __future__ import annotations

from visado_kit.live import LiveHost


def test_pages_and_middleware_of_a_plugin_are_served_beside_the_api(install, tmp_path):
    source = """
from visado import hookimpl
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
class Stamp:
    def __init__(self, app): self.app = app
    async def __call__(self, scope, receive, send):
        async def stamped(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-stamp", b"here")]
            await send(message)
        await self.app(scope, receive, stamped)
async def page(request): return PlainTextResponse("hello")
@hookimpl
def register_routes(): return [Route("/console", page)]
@hookimpl
def register_middleware(): return [Middleware(Stamp)]
"""
    from websockets.sync.client import connect

    host = LiveHost(tmp_path, environment={"PYTHONPATH": str(install("page", source))}).start()
    try:
        assert host.request("GET", "/console").body == "hello"
        for path in ("/console/", "/nowhere"):
            assert host.request("GET", path).error_id == "network.http.url_not_found"
        answer = host.request("GET", "/_now")
        assert (answer.status, answer.headers["x-stamp"]) == (200, "here")
        for _ in range(4):  # also what is answered from memory
            assert host.request("GET", "/_publicApi").headers["x-stamp"] == "here"
        with connect(f"ws://127.0.0.1:{host.port}/", proxy=None) as socket:
            socket.send('{"p":1}')
            assert socket.recv(10) == '{"p":2}'
    finally:
        assert host.stop() == 0
