"""Who am I, with a bearer token: visado and its peers."""

from contextlib import ExitStack

import peers
import servers
from load import Call, wrk
from report import Bar
from rounds import Bench

PART = "Who am I, over HTTP"
CPU = "Processor time of an answer to who am I"


def run(bench: Bench) -> None:
    token, theirs = bench.data().tokens[0], Call("/me", peers.token())
    with ExitStack() as stack:
        visado = stack.enter_context(servers.visado(bench.copy()))
        ours = Call("/_me", token)
        asked = [(stack.enter_context(peers.bare(visado.ask("GET", "/_me", token=token))), ours), (visado, ours)]
        asked += [(stack.enter_context(peer.start()), theirs) for peer in peers.available()]
        found = bench.measure({s.name: lambda seconds, s=s, call=call: wrk(s, call, seconds) for s, call in asked})
    for part, unit, values, bar in (
        (PART, "/s", {name: [sample.rate for sample in found[name]] for name in found}, Bar("at least", 0.75)),
        (CPU, "µs", {name: [sample.cpu for sample in found[name]] for name in found}, Bar("at most", 1.35)),
    ):
        against = bench.report.add(part, "bare ASGI", values.pop("bare ASGI"), unit)
        for name, each in values.items():
            bench.report.add(part, name, each, unit, against=against, bar=bar if name == "visado" else None)
