"""Logins against a real slapd: per second and p99, beside bare ldap3, and what a local GET sees of it.

    .venv/bin/python bench/ldap.py [seconds per step]

For each number of clients, one after the other so that the machine is the same:
  bare bind     a loop of threads: `ldap3.Connection(...).bind()`, as a user whose DN is known
  bare login    a loop of threads: the search for the entry, without which a login knows no DN, then the bind
  visado        `LdapStrategy.authenticate`, which does both, in a host, which finds the user
The bar: visado makes 0.7 of the logins that a bare bind loop makes binds.
Then a host in a process of its own, over HTTP, with a process that logs in and one that asks for `/_now`.
"""

from __future__ import annotations

import asyncio
import http.client
import importlib
import json
import multiprocessing
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

from visado import Success
from visado.request import Request
from visado_kit.in_process import build_host
from visado_kit.live import LiveHost

sys.path.insert(0, str(Path(__file__).parents[1]))
slapd = importlib.import_module("tests.plugins.ldap.slapd")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ldap3 = importlib.import_module("ldap3")

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
    options = {"client_strategy": ldap3.SYNC, "auto_referrals": False}

    def make():
        address = ldap3.Server("127.0.0.1", port=server.port, get_info=ldap3.NONE)  # threads cannot share one
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
        "timeout": 30,
    }


async def in_host(host, clients, seconds):
    times, end = [], time.perf_counter() + seconds
    strategy = host.security.strategies["ldap"]
    places = asyncio.Semaphore(strategy.concurrency)

    async def loop(number):
        while (start := time.perf_counter()) < end:
            body = {"username": f"user{number}", "password": slapd.password_of(number)}
            async with places:
                outcome = await strategy.authenticate(Request("1", "auth", "login", {}, body))
                assert isinstance(outcome, Success), outcome
                await host.security.identities.resolve("ldap", outcome.who, strategy.accounts)
            times.append(time.perf_counter() - start)
            number = (number + 1) % ACCOUNTS

    start = time.perf_counter()
    await asyncio.gather(*(loop(number % ACCOUNTS) for number in range(clients)))
    return len(times) / (time.perf_counter() - start), p99(times)


async def strategy_figures(server, folder, seconds):
    async with build_host(folder, {"ldap": {"directories": {"ldap": settings(server)}}}) as host:
        await host.open()
        await in_host(host, 8, 1)  # the users are made
        for clients in CLIENTS:
            login = in_threads(clients, seconds, bare(server, searching=True))
            ours = await in_host(host, clients, seconds)
            bind = in_threads(clients, seconds, bare(server, searching=False))
            print(
                f"{clients:3} clients: visado {ours[0]:6.0f}/s p99 {ours[1]:6.1f} ms | "
                f"bare login {login[0]:6.0f}/s p99 {login[1]:6.1f} ms | bare bind {bind[0]:6.0f}/s "
                f"p99 {bind[1]:6.1f} ms | {ours[0] / login[0]:.2f} of a bare login, {ours[0] / bind[0]:.2f} of a bare "
                f"bind ({'met' if ours[0] >= BAR * bind[0] else 'MISSED'})",
                flush=True,
            )


def ask(connection, verb, path, body=None):
    connection.request(verb, path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status


def log_in(port, clients, seconds, found):
    def make():
        connection = http.client.HTTPConnection("127.0.0.1", port)

        def work(number):
            body = {"username": f"user{number}", "password": slapd.password_of(number)}
            ask(connection, "POST", "/_login/ldap", json.dumps(body))

        return work

    found.put(in_threads(clients, seconds, make) if clients else (0.0, 0.0))


def look(port, seconds, found):
    connection, times, end = http.client.HTTPConnection("127.0.0.1", port), [], time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        ask(connection, "GET", "/_now")
        times.append(time.perf_counter() - start)
        time.sleep(0.01)
    found.put(p99(times))


def live_figures(server, folder, seconds):
    config = "[ldap.directories.ldap]\n" + "".join(
        f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}\n"
        for name, value in settings(server).items()
    )
    host = LiveHost(folder, config=config).start()
    try:
        for clients in (0, *CLIENTS):
            logins, gets = multiprocessing.Queue(), multiprocessing.Queue()
            both = [
                multiprocessing.Process(target=log_in, args=(host.port, clients, seconds, logins)),
                multiprocessing.Process(target=look, args=(host.port, seconds, gets)),
            ]
            for each in both:
                each.start()
            (rate, tail), seen = logins.get(), gets.get()
            for each in both:
                each.join()
            print(f"{clients:3} clients over HTTP: {rate:6.0f}/s p99 {tail:6.1f} ms | GET /_now p99 {seen:6.1f} ms")
    finally:
        host.stop()


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
