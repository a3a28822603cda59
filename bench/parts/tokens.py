"""Who am I, of 10,000 users in turn, each with a token of their own: no answer that was kept fits."""

import peers
import servers
from load import Call, wrk
from report import Bar
from rounds import LARGE, Bench

PART = "10,000 tokens in turn"
TOKENS = 10_000


def run(bench: Bench) -> None:
    made = bench.data(LARGE)
    call = Call("/_me", turns=("token", bench.lines("tokens", made.tokens[:TOKENS])))
    with (
        servers.visado(bench.copy(LARGE)) as visado,
        peers.bare(visado.ask("GET", "/_me", token=made.tokens[0])) as bare,
    ):
        found = bench.measure(
            {
                "bare ASGI": lambda seconds: wrk(bare, call, seconds),
                "visado": lambda seconds: wrk(visado, call, seconds),
            }
        )
    against = bench.report.add(PART, "bare ASGI", [sample.rate for sample in found["bare ASGI"]], "/s")
    rates = [sample.rate for sample in found["visado"]]
    bench.report.add(PART, "visado", rates, "/s", against=against, bar=Bar("at least", 0.25))
