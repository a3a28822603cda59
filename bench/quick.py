"""Whether a hot path has become dearer: `python bench/quick.py [--store]`, in under two minutes.

Compares the processor time of an answer, in answers of the bare ASGI callable, with `baseline.json`. Both are asked at
the same time, so that a busy machine changes little. The exit code is 1 where a figure grew by more than a tenth;
`--store` writes the baseline anew.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from functools import partial
from pathlib import Path

import peers
import rounds
import servers
from load import Call, together
from parts import actions

BASELINE = Path(__file__).with_name("baseline.json")
ROUNDS, SECONDS, GRANTED = 10, 2.0, 1.1


def measure() -> dict[str, float]:
    """Measure what each request costs, in requests of the bare callable."""
    with rounds.prepared(ROUNDS, SECONDS) as bench:
        made = bench.data()
        token = made.tokens[0]
        calls = {"GET /_me": Call("/_me", token), **actions.calls(token, made.admin)}
        with servers.visado(bench.copy()) as visado, peers.bare(visado.ask("GET", "/_me", token=token)) as bare:
            least = (bare, calls["GET /_me"])

            def cost(call: Call, seconds: float) -> float:
                ours, theirs = together([(visado, call), least], seconds)
                return ours.cpu / theirs.cpu

            found = bench.measure({name: partial(cost, call) for name, call in calls.items()})
    return {name: round(statistics.median(costs), 2) for name, costs in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help="write the baseline anew")
    store = parser.parse_args().store
    rounds.demand()
    peers.prepare()
    found = measure()
    known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    print("| Processor time of an answer, bare ASGI = 1 | Now | Baseline |\n| --- | ---: | ---: |")
    for name, cost in found.items():
        print(f"| {name} | {cost:.2f} | {known.get(name, '')} |")
    if store:
        BASELINE.write_text(json.dumps(found, indent=2) + "\n")
        return 0
    grown = {name: cost / known[name] for name, cost in found.items() if cost > known[name] * GRANTED}
    for name, growth in grown.items():
        print(f"regression: {name} costs {growth:.2f} of what it did", file=sys.stderr)
    return int(bool(grown))


if __name__ == "__main__":
    sys.exit(main())
