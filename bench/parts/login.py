"""Logins: beside argon2 alone, and what a visitor sees of a flood of them."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import data
import servers
from load import Call, flood, percentile, visit, wrk
from report import Bar
from rounds import SMALL, Bench

from visado import app

PART = "Logins"
VERIFY = Path(__file__).with_name("verify.py")


def call(bench: Bench, users: int = SMALL) -> Call:
    """Log the first hundred users in, in turn."""
    bodies = [json.dumps({"username": f"user-{number}", "password": data.PASSWORD}) for number in range(SMALL)]
    return Call("/_login/local", verb="POST", turns=("body", bench.lines(f"logins-{users}", bodies)))


def rate(bench: Bench) -> None:
    """Measure logins per second beside verifications per second, on one core and on two."""
    login, stored = call(bench), asyncio.run(_hash(bench.copy()))
    with (
        servers.visado(bench.copy(), local_alone=True) as one,  # an audit log writes for every login
        servers.visado(bench.copy(), cores=servers.BOTH, local_alone=True) as two,
    ):
        found = bench.measure(
            {
                "argon2 alone, one core": lambda seconds: _verify(stored, servers.SERVER, seconds),
                "visado, one core": lambda seconds: wrk(one, login, seconds).rate,
                "argon2 alone, two cores": lambda seconds: _verify(stored, servers.BOTH, seconds),
                "visado, two cores": lambda seconds: wrk(two, login, seconds).rate,
            }
        )
    for cores in ("one core", "two cores"):
        against = bench.report.add(PART, f"argon2 alone, {cores}", found[f"argon2 alone, {cores}"], "/s")
        ours = found[f"visado, {cores}"]
        bench.report.add(PART, f"visado, {cores}", ours, "/s", against=against, bar=Bar("at least", 0.9))


def waiting(bench: Bench) -> None:
    """Measure how long `GET /_me` takes while 32 connections log in without a pause."""
    login, me = call(bench), Call("/_me", bench.data().tokens[0])
    with servers.visado(bench.copy()) as visado:

        def flooded(seconds: float) -> float:
            with flood(visado, login, seconds + 2) as running:
                found = percentile(visit(visado, me, seconds), 99)
                running.communicate()
            visado.rest()
            return found

        found = bench.measure({"idle": lambda seconds: percentile(visit(visado, me, seconds), 99), "flooded": flooded})
    idle = bench.report.add(PART, "p99 of GET /_me, idle", found["idle"], "ms")
    bar = Bar("at most", max(10, 2 * idle.median))
    bench.report.add(PART, "p99 of GET /_me during a flood of logins", found["flooded"], "ms", bar=bar)


def run(bench: Bench) -> None:
    rate(bench)
    waiting(bench)


def _verify(stored: str, cores: str, seconds: float) -> float:
    """Verify in as many threads as there are cores, and return how many per second."""
    command = [sys.executable, str(VERIFY), stored, data.PASSWORD, str(seconds)]
    said = subprocess.run(servers.pinned(cores, command), check=True, capture_output=True, text=True)
    return float(said.stdout)


async def _hash(folder: Path) -> str:
    """Read a hash out of the data: the parameters are the host's own."""
    host = app.create_app({"server": {"data": str(folder)}})
    await host.open()
    try:
        _, row = await host.security.credentials.find_of_user("local", "user-0")
    finally:
        await host.close()
    found: str = row["hash"]
    return found
