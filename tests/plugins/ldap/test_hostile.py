from __future__ import annotations

import asyncio
import socket
import time

import pytest

from tests.waiting import until
from visado import Fail, Success, errors
from visado_kit.hostile import HOSTILE_VALUES
from visado_kit.live import serve
from visado_ldap.errors import DirectoryRefused, DirectoryUnreachable

from . import faulty_servers, slapd
from .conftest import ADMINISTRATOR, settings_of
from .slapd import password_of

WRONG = Fail("wrong username or password")
CANARY = "canary-password"


async def timed(call):
    start = time.monotonic()
    try:
        found = await call
    except errors.VisadoError as error:
        found = error
    return found, time.monotonic() - start


def test_hostile_input_is_never_sent_unescaped(play, own_directory):
    """slapd is configured to accept unauthenticated binds; the test fails if one is sent."""
    texts = [
        "*",
        "*)(uid=*",
        "user1)(&",
        "(|(uid=*))",
        "\\2a",
        "*)(uid=*))(|(uid=*",
        "user1\\",
        "&",
        "|",
        "!",
        "~=",
        ">=",
        ":=",
        "user1,ou=people",
        "uid=user1",
        "admin*",
        "é" * 200,
        "\t",
        "\u2028",
    ]

    async def scene(each):
        await each.link("kuid-1", username="user1")
        before = len(own_directory.log)
        for value in (*HOSTILE_VALUES, *texts):
            assert isinstance(await each.login(value, password_of(1)), Fail)
            assert isinstance(await each.login("user1", value), Fail)
            assert isinstance(await each.login(value, value), Fail)
        log = own_directory.log[before:]
        assert 'BIND dn="" method=128' not in log
        assert "mech=ANONYMOUS" not in log
        assert "(uid=*)" not in log
        filters = {line.partition("filter=")[2] for line in log.splitlines() if "filter=" in line}
        assert all(each.count("(") == 1 for each in filters), filters

    play(scene, settings_of(own_directory))


def test_the_server_of_that_test_accepts_empty_passwords(own_directory):
    """A bind without a password succeeds on the server of the test above."""
    import ldap3

    connection = ldap3.Connection(ldap3.Server("127.0.0.1", own_directory.port), slapd.user_dn(1), "x")
    connection.open()
    request = b"\x30" + bytes([14 + len(slapd.user_dn(1)) - 2]) + b"\x02\x01\x01\x60"
    request += bytes([7 + len(slapd.user_dn(1))]) + b"\x02\x01\x03\x04" + bytes([len(slapd.user_dn(1))])
    connection.socket.sendall(request + slapd.user_dn(1).encode() + b"\x80\x00")
    assert b"\x0a\x01\x00" in connection.socket.recv(1000)
    connection.socket.close()


@pytest.mark.parametrize("certificate", ["self-signed", "expired", "wrong-name"])
@pytest.mark.parametrize("start_tls", [False, True])
def test_certificates_are_verified(play, tls, tmp_path, certificate, start_tls, caplog, directory):
    server = slapd.Slapd(tmp_path / "bad", tls)
    server.set_certificate(certificate)
    server.start()
    try:
        with faulty_servers.Recording(server.port if start_tls else server.tls_port) as wire:
            url = wire.url if start_tls else wire.tls_url

            async def scene(each):
                with pytest.raises(DirectoryUnreachable):
                    await each.login("user1", CANARY)

            play(scene, settings_of(server, start_tls=start_tls) | {"url": url})
            assert wire.received
            for secret in (CANARY, slapd.SERVICE_PASSWORD, slapd.SERVICE):
                assert secret.encode() not in wire.received
    finally:
        server.stop()
    assert "certificate is refused" in caplog.text


@pytest.mark.parametrize("template", [False, True])
def test_start_tls_refused_means_no_login(play, tls, template, caplog):
    with faulty_servers.RefusingTls() as server:
        given = {
            "url": server.url,
            "ca_file": str(tls / "ca.pem"),
            "start_tls": True,
            "bind_dn": slapd.SERVICE,
            "bind_password": slapd.SERVICE_PASSWORD,
            "search_base": slapd.PEOPLE,
        }
        if template:
            given["user_dn_template"] = "uid={username},ou=people,dc=example,dc=org"

        async def scene(each):
            with pytest.raises(DirectoryUnreachable):
                await each.login("user1", CANARY)

        play(scene, given)
        assert server.received
        for secret in (CANARY, slapd.SERVICE_PASSWORD, "visado", "user1"):
            assert secret.encode() not in server.received
    assert "refuses TLS" in caplog.text


def test_a_response_injected_before_tls_is_ignored(play, tls):
    with faulty_servers.Injecting() as server:
        given = {
            "url": server.url,
            "ca_file": str(tls / "ca.pem"),
            "start_tls": True,
            "timeout": 1,
            "user_dn_template": "uid={username},ou=people,dc=example,dc=org",
            "auto_create": True,
        }

        async def scene(each):
            with pytest.raises(DirectoryUnreachable):
                await each.login("user1", CANARY)

        play(scene, given)
        assert CANARY.encode() not in server.received


def test_tls_and_start_tls_encrypt_passwords(play, directory):
    for start_tls in (False, True):
        with faulty_servers.Recording(directory.port if start_tls else directory.tls_port) as wire:
            url = wire.url if start_tls else wire.tls_url

            async def scene(each):
                await each.link("kuid-1", username="user1")
                assert await each.login("user1", password_of(1)) == Success("kuid-1")
                await each.strategy.delete("kuid-1", ADMINISTRATOR)
                await each.host.security.users.delete("kuid-1")

            play(scene, settings_of(directory, start_tls=start_tls) | {"url": url})
            assert wire.received
            for secret in (password_of(1), slapd.SERVICE_PASSWORD):
                assert secret.encode() not in wire.received


def test_a_client_certificate_is_presented(play, directory, tls):
    async def scene(each):
        await each.link("kuid-1", username="user1")
        assert await each.login("user1", password_of(1)) == Success("kuid-1")

    certificate = {"client_certificate": str(tls / "client.pem"), "client_key": str(tls / "client.key")}
    play(scene, settings_of(directory, secure=True, **certificate))


@pytest.mark.parametrize("on", ["bind", "search", "references"])
def test_referrals_are_not_followed(play, on):
    with faulty_servers.Silent() as attacker, faulty_servers.Referring(f"{attacker.url}/dc=evil", on) as server:
        given = {
            "url": server.url,
            "bind_dn": slapd.SERVICE,
            "bind_password": "x",
            "search_base": slapd.PEOPLE,
            "auto_create": True,
        }

        async def scene(each):
            if on == "references":
                assert isinstance(await each.login("ann", "password"), Success)
            else:
                with pytest.raises((DirectoryRefused, DirectoryUnreachable)):
                    await each.login("ann", "password")

        play(scene, given)
        socket.create_connection(("127.0.0.1", attacker.port)).close()
        until(lambda: attacker.connections)  # connections are accepted in order: this is the first
        assert (attacker.connections, attacker.received) == (1, b"")


@pytest.mark.parametrize("kind", ["silent", "slow", "closing", "garbled", "half", "hole", "silent-tls"])
def test_faulty_servers_end_a_login_in_time(play, kind, tls):
    """The time-out is one second."""
    servers = {
        "silent": faulty_servers.Silent,
        "slow": faulty_servers.Slow,
        "closing": faulty_servers.Closing,
        "garbled": faulty_servers.Garbled,
        "half": lambda: faulty_servers.Garbled(b"\x30\x84\x7f\xff\xff\xff\x02\x01"),
        "hole": faulty_servers.BlackHole,
        "silent-tls": faulty_servers.Silent,
    }
    with servers[kind]() as server:
        url = server.tls_url if kind == "silent-tls" else server.url
        given = {
            "url": url,
            "ca_file": str(tls / "ca.pem"),
            "bind_dn": slapd.SERVICE,
            "bind_password": "x",
            "search_base": slapd.PEOPLE,
            "timeout": 1,
            "connect_timeout": 1,
        }

        async def scene(each):
            found = await asyncio.gather(*(timed(each.login(f"user{number}", "x")) for number in range(100)))
            assert all(isinstance(error, DirectoryUnreachable) for error, _ in found)
            assert max(seconds for _, seconds in found) <= 2  # the time-out of 1 s, and a machine that may be busy
            assert (await timed(each.login("user1", "x")))[
                1
            ] <= 2  # the time-out of 1 s, and a machine that may be busy

        play(scene, given)


def test_a_silent_directory_does_not_slow_local_logins(tmp_path):
    with faulty_servers.Silent() as server:
        config = (
            f'[ldap.directories.ldap]\nurl = "{server.url}"\nbind_dn = "cn=a"\nbind_password = "x"\n'
            'search_base = "dc=a"\n'
        )
        with serve(tmp_path, config=config) as host:
            host.create_admin()
            ended = []

            def directory_login():
                start = time.monotonic()
                answer = host.request("POST", "/_login/ldap", {"username": "a", "password": "b"})
                ended.append((answer.status, answer.error_id, time.monotonic() - start))

            import threading

            threads = [threading.Thread(target=directory_login) for _ in range(40)]
            for each in threads:
                each.start()
            until(lambda: server.connections)
            times = []
            while any(each.is_alive() for each in threads):
                start = time.monotonic()
                host.login("admin", "a long enough password")
                times.append(time.monotonic() - start)
                time.sleep(0.05)  # subject: a user who logs in 20 times a second
            for each in threads:
                each.join()
    assert {each[:2] for each in ended} == {(503, "ldap.directory.unreachable")}
    assert max(each[2] for each in ended) <= 5
    assert sorted(times)[int(len(times) * 0.95)] <= 0.5


def test_response_times_do_not_reveal_which_users_exist(play, directory):
    """Medians within 5 ms: a wrong password, an unknown name, an entry without a user, several entries."""

    async def scene(each):
        await each.link("kuid-1", username="user1")
        names = ("user1", "nobody", "user9", "twin")
        for _ in range(3):
            times = {name: [] for name in names}
            for _ in range(60):
                for name in names:
                    start = time.perf_counter()
                    assert await each.login(name, "wrong") == WRONG
                    times[name].append(time.perf_counter() - start)
            medians = {name: sorted(found)[30] for name, found in times.items()}
            if max(medians.values()) - min(medians.values()) <= 0.005:
                return
        pytest.fail(f"{medians}")

    play(scene, settings_of(directory))


def test_endless_responses_are_cut_off(play):
    class Endless(faulty_servers.Speaking):
        def answer(self, tag, number, content):
            if tag == faulty_servers.BIND:
                return faulty_servers.result(number, faulty_servers.BIND_DONE, 0)
            return faulty_servers.entry(number, "cn=x", cn=["x" * 1_000_000]) * 40

    with Endless() as server:
        given = {"url": server.url, "bind_dn": "cn=a", "bind_password": "x", "search_base": "dc=a", "timeout": 4}

        async def scene(each):
            with pytest.raises(DirectoryUnreachable):
                await each.login("a", "b")

        play(scene, given)
