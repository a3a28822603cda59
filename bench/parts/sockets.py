"""The same over one WebSocket with many messages in flight, beside an echo of visado's very answers."""

import json
from contextlib import closing

import peers
import servers
from load import WebSocket
from report import Bar
from rounds import Bench

PART = "Over one WebSocket"


def messages(token: str, admin: str) -> dict[str, bytes]:
    """The messages, by what they are called in the report."""
    payloads = {
        "auth:getCurrentUser": {"jwt": token},
        "auth:getMyRights": {"jwt": token},
        "auth:checkToken": {"body": {"token": token}},
        "security:getUser": {"jwt": admin, "_id": "user-0"},
    }
    return {name: json.dumps(_named(name) | payload).encode() for name, payload in payloads.items()}


def _named(name: str) -> dict[str, object]:
    controller, _, action = name.partition(":")
    return {"controller": controller, "action": action}


def run(bench: Bench) -> None:
    made, works = bench.data(), {}
    with (
        servers.visado(bench.copy()) as visado,
        peers.bare(b"") as bare,
        closing(WebSocket(visado)) as ours,
        closing(WebSocket(bare)) as theirs,
    ):
        asked = messages(made.tokens[0], made.admin)
        for name, message in asked.items():
            echo = ours.ask(message)
            works[_echo(name)] = lambda seconds, echo=echo: theirs.flood(echo, seconds)
            works[name] = lambda seconds, message=message: ours.flood(message, seconds)
        found = {name: [sample.rate for sample in samples] for name, samples in bench.measure(works).items()}
    for name in asked:
        against = bench.report.add(PART, _echo(name), found[_echo(name)], "/s")
        bench.report.add(PART, name, found[name], "/s", against=against, bar=Bar("at least", 0.6))


def _echo(name: str) -> str:
    return f"bare echo of {name}"
