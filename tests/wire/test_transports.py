"""One request, one answer: whatever is asked over `_query` is answered alike over WebSocket.

actions.jsonl is a script, played on a new host each way: `do` is the action, `payload` the rest of the request.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest
from websockets.sync.client import connect

from visado_kit.live import LiveHost, serve

from .conftest import SETTINGS
from .masks import differences, error_of, masked
from .player import HttpPlayer, Player, SocketPlayer, Step, steps

SCRIPT = steps("actions")
CONFIG = SETTINGS + "\n[limits]\nlogins_per_second = 100\n"

Both = dict[str, tuple[dict[str, Any], dict[str, Any]]]


def _message(step: Step) -> dict[str, Any]:
    controller, _, action = step["do"].rpartition(":")
    return {"controller": controller, "action": action, "requestId": "r", **step.get("payload", {})}


def _play(kind: type[Player], script: list[Step], folder: Path) -> dict[str, Any]:
    with serve(folder, config=CONFIG) as host:
        player = kind(host.port)
        player.play(script)
    text = json.dumps(player.answers)  # the settings, which an administrator may read, name folder and port
    return json.loads(text.replace(str(folder), "<folder>").replace(str(host.port), "0"))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    """The script's answers over HTTP and over WebSocket, each from a host of its own."""
    common = [{"name": step["name"], "bind": step.get("bind", {})} for step in SCRIPT]
    asked = [_message(step) for step in SCRIPT]
    over_http = [{**step, "send": "POST /_query", "body": body} for step, body in zip(common, asked, strict=True)]
    over_socket = [{**step, "on": "a", "send": body, "messages": 1} for step, body in zip(common, asked, strict=True)]
    opened: list[Step] = [{"name": "open", "on": "a", "open": "/"}]
    ways: list[tuple[type[Player], list[Step]]] = [(HttpPlayer, over_http), (SocketPlayer, opened + over_socket)]
    with ThreadPoolExecutor() as pool:
        playing = [pool.submit(_play, *way, tmp_path_factory.mktemp("host")) for way in ways]
        first, second = (each.result() for each in playing)
    return {step["name"]: (first[step["name"]], second[step["name"]]) for step in common}


@pytest.mark.parametrize("step", SCRIPT, ids=[step["name"] for step in SCRIPT])
def test_the_answer_is_the_same(step: Step, both: Both):
    http, socket = both[step["name"]]
    assert http["status"] == step["status"], http
    (message,) = socket["received"]
    assert message["room"] == "r"
    one, other = masked(http["body"]), masked(message)
    for each in (one, other):
        each.pop("requestId", None)
        each.pop("room", None)
    assert not differences(one, other), step["do"]
    error = error_of(http["body"])
    assert (error is not None) == (step["status"] != 200)
    assert error is None or error["id"]


def test_every_controller_takes_part(both: Both):
    listed = both["public"][0]["body"]["result"]
    assert {step["do"].rpartition(":")[0] for step in SCRIPT} - {"nope"} == set(listed)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    with serve(tmp_path_factory.mktemp("host")) as running:
        yield running


HUGE = [
    '{"controller": "security", "action": "searchUsers", "from": 1e999, "body": {}}',
    '{"controller": "security", "action": "searchUsers", "size": -1e999, "body": {}}',
    '{"controller": "server", "action": "now", "index": 1e999}',
    '{"controller": "server", "action": "now", "volatile": {"x": 1e999}}',
]


def _strictly(text: str) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("text", HUGE, ids=["from", "size", "index", "volatile"])
def test_a_number_beyond_all_numbers_over_http(host: LiveHost, text: str):
    player = HttpPlayer(host.port)
    player.play([{"name": "huge", "send": "POST /_query", "text": text}])
    answer = player.answers["huge"]
    assert answer["status"] < 500, answer["body"]
    _strictly(answer["text"])


@pytest.mark.parametrize("text", HUGE, ids=["from", "size", "index", "volatile"])
def test_a_number_beyond_all_numbers_over_websocket(host: LiveHost, text: str):
    with connect(f"ws://127.0.0.1:{host.port}", proxy=None) as socket:
        socket.send(text)
        assert _strictly(str(socket.recv(timeout=20)))["status"] < 500
