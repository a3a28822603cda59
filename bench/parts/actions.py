"""Other requests of a busy application: my rights, is this token good, who is that user."""

import json

import peers
import servers
from load import Call, wrk
from report import Bar
from rounds import Bench

PART = "Other actions, over HTTP"


def calls(token: str, admin: str) -> dict[str, Call]:
    """The requests, by what they are called in the report."""
    return {
        "GET /_me/_rights": Call("/_me/_rights", token),
        "POST /_checkToken": Call("/_checkToken", verb="POST", body=json.dumps({"token": token})),
        "GET /users/user-0": Call("/users/user-0", admin),
    }


def run(bench: Bench) -> None:
    made = bench.data()
    with (
        servers.visado(bench.copy()) as visado,
        peers.bare(visado.ask("GET", "/_me", token=made.tokens[0])) as bare,
    ):
        works = {"bare ASGI": lambda seconds: wrk(bare, Call("/_me", made.tokens[0]), seconds)}
        for name, call in calls(made.tokens[0], made.admin).items():
            works[name] = lambda seconds, call=call: wrk(visado, call, seconds)
        found = bench.measure(works)
    rates = {name: [sample.rate for sample in samples] for name, samples in found.items()}
    against = bench.report.add(PART, "bare ASGI", rates.pop("bare ASGI"), "/s")
    for name, values in rates.items():
        bench.report.add(PART, name, values, "/s", against=against, bar=Bar("at least", 0.45))
