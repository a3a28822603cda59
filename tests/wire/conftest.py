from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from visado_kit.live import serve

from .player import HttpPlayer, Player, SocketPlayer, steps

SETTINGS = (Path(__file__).parent / "settings.toml").read_text()
ACCOUNTS = {"firstadmin-reset", "login", "role-authfull", "profile-authfull", "ws-user"}
"""The steps over HTTP that make the accounts which the conversation over WebSocket uses."""

Answers = dict[str, dict[str, Any]]


def over_http(folder: Path) -> Answers:
    """Play the conversation over HTTP against a new host."""
    with serve(folder, config=SETTINGS) as host:
        return _played(HttpPlayer(host.port), steps("http"))


def over_websocket(folder: Path) -> Answers:
    """Play the conversation over WebSocket against a new host that has the accounts."""
    with serve(folder, config=SETTINGS) as host:
        made = _played(HttpPlayer(host.port), [step for step in steps("http") if step["name"] in ACCOUNTS])
        assert {answer["status"] for answer in made.values()} == {200}, made
        return _played(SocketPlayer(host.port), steps("ws"))


def _played(player: Player, script: list[dict[str, Any]]) -> Answers:
    player.play(script)
    return player.answers


@pytest.fixture(scope="session")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answers]:
    """Both conversations, played side by side: most of their time is waiting for tokens to end."""
    ways: dict[str, Callable[[Path], Answers]] = {"http": over_http, "ws": over_websocket}
    with ThreadPoolExecutor() as pool:
        playing = {kind: pool.submit(play, tmp_path_factory.mktemp(kind)) for kind, play in ways.items()}
        return {kind: each.result() for kind, each in playing.items()}
