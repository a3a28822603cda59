"""A host with 100 users and tokens beside one with 100,000: speed, and memory."""

import servers
from load import Call, wrk
from parts import login
from report import Bar
from rounds import LARGE, SMALL, Bench

PART = "100,000 users and tokens"


def run(bench: Bench) -> None:
    sizes = (SMALL, LARGE)
    bench.data(LARGE)
    with servers.visado(bench.copy(SMALL)) as small, servers.visado(bench.copy(LARGE)) as large:
        loaded = large.rss()
        works = {}
        for size, host in zip(sizes, (small, large), strict=True):
            me, logins = Call("/_me", bench.data(size).tokens[-1]), login.call(bench, size)
            works["GET /_me", size] = lambda seconds, host=host, call=me: wrk(host, call, seconds).rate
            works["logins", size] = lambda seconds, host=host, call=logins: wrk(host, call, seconds).rate
        found = bench.measure(works)
        every = Call("/_me", turns=("token", bench.lines("every", bench.data(LARGE).tokens)))
        wrk(large, every, 30)  # once through all, so that whatever the host remembers is there
        used = large.rss()
    for what in ("GET /_me", "logins"):
        against = bench.report.add(PART, f"{what}, {SMALL:,} users", found[what, SMALL], "/s")
        ours = found[what, LARGE]
        bench.report.add(PART, f"{what}, {LARGE:,} users", ours, "/s", against=against, bar=Bar("at least", 0.9))
    bench.report.add(PART, f"memory, {LARGE:,} users and tokens", [loaded], "MB", bar=Bar("at most", 400))
    bench.report.add(PART, "memory, after every token was used", [used], "MB", bar=Bar("at most", 400))
