import contextlib
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from idp import Idp, write_metadata
from visado_kit import LiveHost, serve


def free_port() -> int:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return each.getsockname()[1]


@contextlib.contextmanager
def forwarded(listener: socket.socket, host: LiveHost):
    """Pass connections on to the host: `serve` chooses its port, and `public_url` must be known before."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", int(host.url.rsplit(":", 1)[1])))
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        listener.close()


class Browser(httpx.Client):
    """A client that sends `Secure` cookies to this machine over http, as browsers do."""

    def __init__(self, url: str) -> None:
        super().__init__(base_url=url, event_hooks={"request": [self._send], "response": [self._keep]})
        self.kept: dict[str, str] = {}

    def _send(self, request: httpx.Request) -> None:
        request.headers.pop("Cookie", None)
        if self.kept:
            request.headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.kept.items())

    def _keep(self, response: httpx.Response) -> None:
        for each in response.headers.get_list("set-cookie"):
            name, _, value = each.split(";")[0].partition("=")
            self.kept[name] = value
            if not value or "max-age=0" in each.lower():
                del self.kept[name]


@dataclass
class World:
    """A host on 127.0.0.1, and an identity provider on localhost: two sites."""

    folder: Path
    base: str
    url: str
    acs: str
    host: LiveHost
    idp: Idp

    def client(self) -> Browser:
        return Browser(self.url)


def world_of(tmp_path: Path, settings: str = "", tables: str = "", name: str = "127.0.0.1"):
    port, listener = free_port(), socket.create_server(("127.0.0.1", 0))
    host_port = listener.getsockname()[1]
    base, url = f"http://localhost:{port}", f"http://{name}:{host_port}"
    folder = tmp_path / "saml"
    folder.mkdir()
    write_metadata(folder, base, f"{url}/_login/saml")
    process = subprocess.Popen(
        [sys.executable, Path(__file__).parent / "idp.py", folder, str(port)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    config = f"""
[limits]
logins_per_second = 100
[server]
public_url = "{url}"
[saml]
metadata = "{folder}/idp.xml"
key = "{folder}/sp.key"
certificate = "{folder}/sp.crt"
after_login = "{url}/_me"
{settings}
{tables}
"""
    try:
        with serve(tmp_path, config=config) as host, forwarded(listener, host):
            yield World(folder, base, url, f"{url}/_login/saml", host, Idp(folder, base))
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    yield from world_of(tmp_path_factory.mktemp("redirect"))


@pytest.fixture(scope="session")
def post_world(tmp_path_factory):
    yield from world_of(tmp_path_factory.mktemp("post"), 'binding = "post"')


@pytest.fixture
def world_with(tmp_path):
    with contextlib.ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(contextlib.contextmanager(world_of)(tmp_path, *arguments))


@pytest.fixture
def same_site_world(tmp_path):
    """The host and the identity provider are both on localhost, at two ports: two origins of one site."""
    yield from world_of(tmp_path, name="localhost")
