"""How fast visado is, beside its peers and beside the least that can be done: `python bench/run.py [--only me,login]`.

Prints Markdown; leaves result.json, result.md, result.svg and result.png in .cache/bench/. The exit code is 1 where a
bar is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import peers
import rounds
from parts import actions, login, me, size, sockets, start, tokens
from report import HEAD

PARTS: dict[str, Callable[[rounds.Bench], None]] = {
    "me": me.run,
    "actions": actions.run,
    "sockets": sockets.run,
    "tokens": tokens.run,
    "login": login.run,
    "size": size.run,
    "start": start.run,
}
PLOT = Path(__file__).with_name("plot.py")


def about(given: argparse.Namespace) -> dict[str, object]:
    """Say on what this was measured."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": f"{model}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "versions": ", ".join(f"{name} {version(name)}" for name in ("visado", *peers.SHARED)),
        "rounds": f"{given.rounds} of {given.seconds:g} s",
    }


def attempt(name: str, bench: rounds.Bench) -> bool:
    """Measure one part; where that fails, say so and let the others be measured."""
    try:
        PARTS[name](bench)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        bench.report.missing.append(f"the part {name}: {error}")
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=5, help="times that each thing is measured")
    parser.add_argument("--seconds", type=float, default=4, help="length of each")
    given = parser.parse_args()
    chosen = given.only.split(",")
    if unknown := set(chosen) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    rounds.demand()
    missing = peers.prepare()
    with rounds.prepared(given.rounds, given.seconds) as bench:
        bench.report.missing += missing
        print(HEAD, flush=True)
        broken = [name for name in chosen if not attempt(name, bench)]
        report = bench.report
    report.write(peers.CACHE, about(given))
    subprocess.run([peers.PYTHON, PLOT, peers.CACHE / "result.json"], check=True)
    print((peers.CACHE / "result.md").read_text())
    for row in report.missed:
        print(f"missed: {row.part}: {row.what}", file=sys.stderr)
    return int(bool(report.missed or broken))


if __name__ == "__main__":
    sys.exit(main())
