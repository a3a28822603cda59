"""Logins against a real slapd: per second and p99, beside bare ldap3, and what a local GET sees of it.

    .venv/bin/python bench/ldap.py [seconds per step]

Three figures per number of clients, one after the other so that the machine is the same:
  bare bind     a loop of threads: `ldap3.Connection(...).bind()`, as a user whose DN is known
  bare login    a loop of threads: the search for the entry that a login needs, then the bind
  visado        `LdapStrategy.authenticate` in a host, which does both, and finds the user
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import ldap3

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "plugins" / "ldap"))

import ldap_slapd as slapd

from visado import Success
from visado.request import Request
from visado.testing.live import LiveHost
from visado.testing.stage import open_host

CLIENTS = (1, 16, 64)
ACCOUNTS = 50
BAR = 0.7


def p99(times):
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.99))] * 1000


def in_threads(clients, seconds, make):
    """Let each thread do `make()(number)` until the time is over; `(per second, p99 in ms)`."""
    times, end = [], time.perf_counter() + seconds

    def loop(number):
        work = make()
        while (start := time.perf_counter()) < end:
            work(number)
            times.append(time.perf_counter() - start)
            number = (number + 1) % ACCOUNTS

    threads = [threading.Thread(target=loop, args=(number % ACCOUNTS,)) for number in range(clients)]
    start = time.perf_counter()
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return len(times) / (time.perf_counter() - start), p99(times)


def bare(server, *, searching):
    """The least that ldap3 can do for a login."""
    address = ldap3.Server("127.0.0.1", port=server.port, get_info=ldap3.NONE)
    options = {"client_strategy": ldap3.SYNC, "auto_referrals": False}

    def make():
        service = ldap3.Connection(address, slapd.SERVICE, slapd.SERVICE_PASSWORD, **options)
        assert service.bind()

        def work(number):
            dn = slapd.user_dn(number)
            if searching:
                service.search(slapd.PEOPLE, f"(uid=user{number})", attributes=["entryUUID", "uid"], size_limit=2)
                dn = service.response[0]["dn"]
            connection = ldap3.Connection(address, dn, slapd.password_of(number), **options)
            assert connection.bind()
            connection.unbind()

        return work

    return make


def settings(server):
    return {
        "url": server.url,
        "bind_dn": slapd.SERVICE,
        "bind_password": slapd.SERVICE_PASSWORD,
        "search_base": slapd.PEOPLE,
        "auto_create": True,
    }


async def in_host(strategy, clients, seconds):
    times, end = [], time.perf_counter() + seconds
    places = asyncio.Semaphore(strategy.concurrency)

    async def loop(number):
        while (start := time.perf_counter()) < end:
            body = {"username": f"user{number}", "password": slapd.password_of(number)}
            async with places:
                outcome = await strategy.authenticate(Request("1", "auth", "login", {}, body))
            assert isinstance(outcome, Success), outcome
            times.append(time.perf_counter() - start)
            number = (number + 1) % ACCOUNTS

    start = time.perf_counter()
    await asyncio.gather(*(loop(number % ACCOUNTS) for number in range(clients)))
    return len(times) / (time.perf_counter() - start), p99(times)


async def strategy_figures(server, folder, seconds):
    async with open_host(folder, {"ldap": {"directories": {"ldap": settings(server)}}}) as host:
        await host.open()
        strategy = host.strategies["ldap"]
        await in_host(strategy, 8, 1)  # the users are made
        for clients in CLIENTS:
            login = in_threads(clients, seconds, bare(server, searching=True))
            bind = in_threads(clients, seconds, bare(server, searching=False))
            ours = await in_host(strategy, clients, seconds)
            print(
                f"{clients:3} clients: visado {ours[0]:6.0f}/s p99 {ours[1]:6.1f} ms | "
                f"bare login {login[0]:6.0f}/s p99 {login[1]:6.1f} ms | bare bind {bind[0]:6.0f}/s "
                f"p99 {bind[1]:6.1f} ms | {ours[0] / login[0]:.2f} of a bare login "
                f"({'met' if ours[0] >= BAR * login[0] else 'MISSED'}), {ours[0] / bind[0]:.2f} of a bare bind",
                flush=True,
            )


def live_figures(server, folder, seconds):
    """A host in a process of its own, over HTTP: logins, and a GET every 10 ms beside them."""
    config = "[ldap.directories.ldap]\n" + "".join(
        f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}\n"
        for name, value in settings(server).items()
    )
    host = LiveHost(folder, config=config).start()
    try:
        for clients in (0, *CLIENTS):
            logins = in_background(host, clients, seconds)
            gets = probe(host, seconds)
            rate, tail = logins()
            print(f"{clients:3} clients over HTTP: {rate:6.0f}/s p99 {tail:6.1f} ms | GET /_now p99 {p99(gets):6.1f} ms")
    finally:
        host.stop()


def in_background(host, clients, seconds):
    def login(number):
        body = {"username": f"user{number}", "password": slapd.password_of(number)}
        answer = host.request("POST", "/_login/ldap", body)
        assert answer.status == 200, answer

    if not clients:
        return lambda: (0.0, 0.0)
    found = []
    thread = threading.Thread(target=lambda: found.append(in_threads(clients, seconds, lambda: login)))
    thread.start()

    def wait():
        thread.join()
        return found[0]

    return wait


def probe(host, seconds):
    times, end = [], time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        assert host.request("GET", "/_now").status == 200
        times.append(time.perf_counter() - start)
        time.sleep(0.01)
    return times


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "host").mkdir()
        server = slapd.Slapd(folder / "slapd", slapd.make_certificates(folder / "tls"), loud=False).start()
        try:
            asyncio.run(strategy_figures(server, folder / "strategy", seconds))
            live_figures(server, folder / "host", seconds)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
