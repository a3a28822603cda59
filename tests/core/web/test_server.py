from __future__ import annotations

import inspect
import re
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import uvicorn
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.websockets import websockets_sansio_impl

from visado.web import server
from visado_kit.live import serve

from .messages import head


@pytest.mark.parametrize(
    "data",
    [
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\n{}",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n{}",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 0x2\r\n\r\n{}",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n{}",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n\r\n",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n",
        b"GET /_me HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n",
        b"GET /_me HTTP/1.1\nHost: x\n\n",
        b"GET /_me HTTP/1.1\r\nHost: x\r\nX-A: b\nX-C: d\r\n\r\n",
        b"GET /_me HTTP/1.1\r\nHost: x\r\nX-A: b\rc\r\n\r\n",
        b"GET /_me HTTP/1.1\r\nHost: x\r\nX-A: b\0c\r\n\r\n",
        b"GET /_me HTTP/1.1\r\nHost: x\r\nX A: b\r\n\r\n",
        b"GET /_me HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
        b"GET /_me HTTP/9.9\r\nHost: x\r\n\r\n",
        b"get /_me HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=range(24),
)
def test_what_is_no_http_is_400_and_closed(quick, raw, data):
    answer = raw(quick.port, data)
    assert answer.closed
    assert answer.status in (400, None), answer.data[:200]
    assert answer.data.count(b"HTTP/1.1 ") <= 1


def test_headers_have_a_limit(quick, raw):
    for data in (
        head("GET", "/_me", "Connection: close", "X-A: " + "a" * 200_000),
        head("GET", "/_me", "Connection: close", *(f"X-{number}: a" for number in range(20_000))),
        head("GET", "/" + "a" * 200_000, "Connection: close"),
    ):
        answer = raw(quick.port, data)
        assert answer.closed
        assert answer.status in (400, 413, 414, 431), answer.data[:100]


def test_slow_senders_are_closed(quick, raw):
    """The clock of the host is a second here, and 15 s by default."""
    slow = [
        b"", b"G", b"GET /_me HTTP/1.1\r\nHost: x\r\n", b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n", b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", b"OPTIONS / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n",
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{", b"GET /_healthcheck HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{", b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n",
    ]  # fmt: skip
    with ThreadPoolExecutor(len(slow) * 5) as pool:
        answers = list(pool.map(lambda data: raw(quick.port, data, patience=20), slow * 5))
    assert all(answer.closed for answer in answers), [
        slow[n % len(slow)] for n, each in enumerate(answers) if not each.closed
    ]
    assert {answer.status for answer in answers} <= {None, 200, 400, 404, 408, 413}


def test_a_sender_of_a_byte_at_a_time_is_closed_too(quick):
    for start in (
        b"GET /_me HTTP/1.1\r\nX-A: ",
        b"POST /_checkToken HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", quick.port), timeout=10) as opened:
            opened.sendall(start)
            began = time.monotonic()
            try:
                while time.monotonic() - began < 15:
                    opened.sendall(b"x")
                    opened.settimeout(0.1)
                    try:
                        if not opened.recv(65_536):
                            break
                    except TimeoutError:
                        pass
                else:
                    pytest.fail("still open")
            except OSError:
                pass


def test_one_connection_serves_many_requests_and_pipelines_them(live):
    one = head("GET", "/_me")
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as opened:
        opened.sendall(one * 5)
        received = b""
        while received.count(b'"requestId"') < 5:
            received += opened.recv(65_536)
    assert received.count(b"HTTP/1.1 200 OK") == 5


@pytest.fixture
def fresh(tmp_path):
    with serve(tmp_path) as host:
        yield host


def test_a_flood_of_pipelined_requests_is_not_kept_in_memory(fresh):
    def megabytes():
        return int(Path(f"/proc/{fresh.pid}/statm").read_text().split()[1]) * 4_096 / 2**20

    before, block = megabytes(), head("GET", "/_me") * 1_000
    with socket.create_connection(("127.0.0.1", fresh.port), timeout=10) as opened:
        opened.setblocking(False)
        sent = 0
        while sent < 12_000_000 and select.select([], [opened], [], 2)[1]:  # the host reads on
            try:
                sent += opened.send(block)
            except OSError:
                break
    assert fresh.request("GET", "/_healthcheck").status == 200
    assert megabytes() - before < 100


def test_nothing_of_this_went_wrong_inside(live, quick):
    """The last test of this module: no hostile input has left a traceback in a log."""
    for host in (live, quick):
        assert "Traceback" not in host.log
        assert host.request("GET", "/_me").status == 200


HTTP = [
    "connection_made", "connection_lost", "data_received", "on_message_begin", "on_headers_complete",
    "handle_websocket_upgrade", "send_400_response",
]  # fmt: skip
HTTP_STATE = ["loop", "transport", "pipeline", "cycle", "scope", "headers", "url"]
CYCLE_STATE = [
    "response_started", "response_complete", "disconnected", "keep_alive", "flow", "default_headers", "transport",
    "message_event", "on_response",
]  # fmt: skip
WEBSOCKET = [
    "connection_made",
    "connection_lost",
    "data_received",
    "pause_writing",
    "resume_writing",
    "handle_parser_exception",
]
WEBSOCKET_STATE = ["loop", "transport", "conn", "queue", "close_sent", "close_timer"]
SERVER = ["startup", "shutdown", "capture_signals", "handle_exit"]


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (httptools_impl.HttpToolsProtocol, HTTP),
        (websockets_sansio_impl.WebSocketsSansIOProtocol, WEBSOCKET),
        (uvicorn.Server, SERVER),
    ],
)
def test_uvicorn_has_the_methods_that_are_overridden_or_called(owner, names):
    assert [name for name in names if not callable(getattr(owner, name, None))] == []


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (httptools_impl.HttpToolsProtocol, HTTP_STATE),
        (httptools_impl.RequestResponseCycle, CYCLE_STATE),
        (websockets_sansio_impl.WebSocketsSansIOProtocol, WEBSOCKET_STATE),
    ],
)
def test_uvicorn_sets_the_attributes_that_are_read(owner, names):
    assigned = set(re.findall(r"self\.(\w+)(?:\s*:[^=\n]+)?\s*=(?!=)", inspect.getsource(owner)))
    assert [name for name in names if name not in assigned] == []


def test_the_lists_above_name_all_that_the_server_reads_of_uvicorn():
    source = inspect.getsource(server)
    own = set(re.findall(r"self\.(_\w+|\w+_seconds|max_\w+)", source))
    read = set(re.findall(r"self\.(\w+)", source)) - own
    assert read <= {*HTTP, *HTTP_STATE, *WEBSOCKET, *WEBSOCKET_STATE, *SERVER}, read
    assert set(re.findall(r"cycle\.(\w+)", source)) <= {*CYCLE_STATE, "flow"}
