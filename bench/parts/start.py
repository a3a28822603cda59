"""Starting: to the first answer, to the command line's help, and what an import brings in."""

import json
import subprocess
import sys
import time

import servers
from report import Bar
from rounds import Bench

PART = "Starting"
UNWANTED = ("starlette", "ldap3", "httpx", "argon2")
IMPORT = "import json, sys, visado; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def _serve(bench: Bench, number: int) -> tuple[float, float]:
    """Serve an empty folder; seconds to the first answer, and the memory of a host that does nothing."""
    with servers.visado(bench.folder / f"empty-{number}") as host:
        return host.took, host.rss()


def _time(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(servers.pinned(servers.SERVER, command), check=True, capture_output=True)
    return time.perf_counter() - begun


def run(bench: Bench) -> None:
    assistance = [str(servers.VISADO), "--help"]
    _serve(bench, -1), _time(assistance)  # from the disk: that is not measured
    started = [_serve(bench, number) for number in range(bench.rounds)]
    helped = [_time(assistance) for _ in range(bench.rounds)]
    add = bench.report.add
    add(PART, "visado serve, to the first answer", [took for took, _ in started], "s", bar=Bar("at most", 0.8))
    add(PART, "memory, idle", [memory for _, memory in started], "MB", bar=Bar("at most", 70))
    add(PART, "visado --help", helped, "s", bar=Bar("at most", 0.25))
    imported = json.loads(subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True).stdout)
    unwanted = [name for name in UNWANTED if name in imported]
    what = f"import visado brings in, of {', '.join(UNWANTED)}: {', '.join(unwanted) or 'none'}"
    add(PART, what, [len(unwanted)], "modules", bar=Bar("at most", 0))
