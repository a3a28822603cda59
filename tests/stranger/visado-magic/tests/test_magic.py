"""A real host, a mail server, and attackers."""

import asyncio
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from smtp import MailServer
from visado_kit import HOSTILE_VALUES, Clock, build_host, serve

REFUSED = "plugin.strategy.missing_user"
PROPS = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "props"), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture(scope="module")
def smtp():
    server = MailServer()
    yield server
    server.shutdown()
    server.server_close()


def config(smtp, **more):
    table = {"smtp": f"127.0.0.1:{smtp.port}", "starttls": False, "from": "host@visado.example", **more}
    return "[limits]\nlogins_per_second = 1000\n[magic]\n" + "".join(
        f"{key} = {json.dumps(value)}\n" for key, value in table.items()
    )


@pytest.fixture(scope="module")
def host(tmp_path_factory, smtp):
    with serve(tmp_path_factory.mktemp("host"), config=config(smtp), environment=PROPS) as host:
        host.admin = host.create_admin()
        yield host


def ask(client, email):
    response = client.query("auth:login", strategy="magic", body={"email": email})
    assert response.error_id == "security.login.challenged", response.body
    return response.result["challenge"]["reference"]


def answer(client, reference, code, **more):
    return client.query("auth:login", strategy="magic", body={"challenge": reference, "code": code, **more})


def other(code):
    return f"{(int(code) + 1) % 10**6:06}"


def test_makes_and_finds_the_user(host, smtp):
    first = answer(host, ask(host, "ann@acme.example"), smtp.code("ann@acme.example"))
    second = answer(host, ask(host, " Ann@ACME.example"), smtp.code("ann@acme.example", 2))
    assert first.result["_id"] == second.result["_id"]
    me = host.request("GET", "/_me", token=first.result["jwt"]).result
    assert me["_source"]["email"] == "ann@acme.example" and me["strategies"] == ["magic"]
    assert "From: host@visado.example" in smtp.of("ann@acme.example")[0]


def test_over_a_websocket_and_across_transports(host, smtp):
    with host.socket() as socket:
        reference = ask(socket, "ws@acme.example")
        user = answer(socket, reference, smtp.code("ws@acme.example")).result["_id"]
        reference = ask(socket, "ws@acme.example")
    assert answer(host, reference, smtp.code("ws@acme.example", 2)).result["_id"] == user


@pytest.mark.parametrize("kind", ["http", "socket"])
def test_a_second_factor(host, smtp, kind):
    address = f"pin-{kind}@acme.example"
    user = answer(host, ask(host, address), smtp.code(address)).result["_id"]
    host.query("security:updateUser", _id=user, body={"pin": "1234"}, token=host.admin)

    def login(client, pin):
        begun = ask(client, address)
        step = answer(client, begun, smtp.code(address, login.mails))
        login.mails += 1
        assert answer(client, begun, smtp.code(address, login.mails - 1)).error_id == REFUSED
        assert step.error_id == "security.login.challenged" and step.result["challenge"]["check"] == "pin"
        body = {"challenge": step.result["challenge"]["reference"], "pin": pin}
        return client.query("auth:login", strategy="magic", body=body)

    login.mails = 2
    if kind == "http":
        assert login(host, "1234").result["_id"] == user
        assert login(host, "9999").error_id == REFUSED
    else:
        with host.socket() as socket:
            assert login(socket, "1234").result["_id"] == user
            assert login(socket, "9999").error_id == REFUSED


def test_five_tries(host, smtp):
    reference = ask(host, "five@acme.example")
    code = smtp.code("five@acme.example")
    for _ in range(4):
        assert answer(host, reference, other(code)).error_id == REFUSED
    assert answer(host, reference, code).status == 200
    reference = ask(host, "five@acme.example")
    code = smtp.code("five@acme.example", 2)
    for _ in range(5):
        assert answer(host, reference, other(code)).error_id == REFUSED
    assert answer(host, reference, code).error_id == REFUSED


def test_guessing_in_parallel(host, smtp):
    reference = ask(host, "guess@acme.example")
    code = smtp.code("guess@acme.example")
    guesses = [f"{(int(code) + n) % 10**6:06}" for n in range(-60, 0)] + [code]
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda guess: answer(host, reference, guess), guesses))
    assert {each.error_id for each in answers} == {REFUSED}
    assert [each.body["error"]["message"] for each in answers].count("wrong code") <= 5


def test_one_token_for_many_right_answers(host, smtp):
    reference = ask(host, "many@acme.example")
    code = smtp.code("many@acme.example")
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: answer(host, reference, code), range(40)))
    assert [each.status for each in answers].count(200) == 1
    assert answer(host, reference, code).error_id == REFUSED


def test_only_the_latest_code_counts(host, smtp):
    first, second = ask(host, "two@acme.example"), ask(host, "two@acme.example")
    old, new = smtp.code("two@acme.example", 1), smtp.code("two@acme.example", 2)
    assert answer(host, first, old).error_id == REFUSED
    assert answer(host, first, new).error_id == REFUSED
    assert answer(host, second, old).error_id == REFUSED
    assert answer(host, second, new).status == 200


def test_a_code_of_another_address(host, smtp):
    mine, yours = ask(host, "eve@acme.example"), ask(host, "victim@acme.example")
    code = smtp.code("eve@acme.example")
    smtp.code("victim@acme.example")
    assert answer(host, yours, code, email="eve@acme.example", address="eve@acme.example").error_id == REFUSED
    reply = answer(host, mine, code, email="victim@acme.example", address="victim@acme.example")
    me = host.request("GET", "/_me", token=reply.result["jwt"]).result
    assert me["_source"]["email"] == "eve@acme.example"


def test_few_mails_per_address(host, smtp):
    with ThreadPoolExecutor(20) as pool:
        body = {"email": "flood@acme.example"}
        answers = list(pool.map(lambda _: host.query("auth:login", strategy="magic", body=body), range(40)))
    ids = [each.error_id for each in answers]
    assert ids.count("security.login.challenged") == 5 and ids.count("magic.mails.too_many") == 35, ids
    smtp.code("flood@acme.example", 5)
    assert len(smtp.of("flood@acme.example")) == 5


def test_hostile_values(host, smtp):
    before = len(smtp.mails)
    for value in (
        *HOSTILE_VALUES,
        "a@b\r\nBcc: c@d.example",
        "a@b>\r\nRCPT TO:<c@d>",
        "a@b c@d",
        "a,b@c",
        "a@b@c",
        "@",
        "a@",
        "\u212aate@acme.example",
        "a@acme.example\n\n.",
        "<a@b>",
        "a@[127.0.0.1]",
        ["a@b.example"],
        "a" * 65 + "@b",
    ):
        try:
            response = host.query("auth:login", strategy="magic", body={"email": value})
        except ValueError:
            continue
        assert response.status in (400, 401) and response.error_id != "security.login.challenged", response.body
    assert len(smtp.mails) == before
    reference = ask(host, "hostile@acme.example")
    code = smtp.code("hostile@acme.example")
    for value in (int(code), [code], {"code": code}, None, True, f" {code}", f"{code} ", code[:5], f"{code}0"):
        reference = ask(host, f"hostile-{abs(hash(str(value)))}@acme.example")
        assert answer(host, reference, value).error_id == REFUSED
    for value in HOSTILE_VALUES:
        try:
            response = answer(host, value, code)
            assert response.error_id != "security.login.challenged" and response.status in (400, 401), response.body
            response = answer(host, reference, value)
            assert response.status in (400, 401), response.body
        except ValueError:
            continue


def test_known_and_unknown_addresses_are_alike(host, smtp):
    """Nobody waits for the mail server, and the response is the same."""
    assert answer(host, ask(host, "known@acme.example"), smtp.code("known@acme.example")).status == 200
    smtp.delay.clear()
    try:
        answers = [
            host.query("auth:login", strategy="magic", body={"email": f"{name}@acme.example"})
            for name in ("known", "new")
        ]
    finally:
        smtp.delay.set()
    assert answers[0].body["error"].keys() == answers[1].body["error"].keys()
    for each in answers:
        challenge = each.result["challenge"]
        assert challenge["data"] == {"sent": True}
        assert challenge["check"] is None


def test_a_restart_between_the_steps(tmp_path, smtp):
    with serve(tmp_path, config=config(smtp), environment=PROPS) as host:
        one, two = ask(host, "restart@acme.example"), ask(host, "restart@acme.example")
        old, new = smtp.code("restart@acme.example", 1), smtp.code("restart@acme.example", 2)
        assert answer(host, two, other(new)).error_id == REFUSED
        host.kill()
        host.start()
        assert answer(host, one, old).error_id == REFUSED
        assert answer(host, two, new).status == 200
        for _ in range(3):
            ask(host, "restart@acme.example")
        assert host.query("auth:login", strategy="magic", body={"email": "restart@acme.example"}).status == 429
        host.stop()
        for file in Path(tmp_path).rglob("*"):
            if file.is_file():
                assert new.encode() not in re.findall(rb"\b[0-9]{6}\b", file.read_bytes()), file
        assert new not in re.findall(r"\b[0-9]{6}\b", host.log)


def test_a_mail_server_that_is_down(tmp_path):
    with serve(tmp_path, config='[magic]\nsmtp = "127.0.0.1:1"\n') as host:
        reference = ask(host, "down@acme.example")
        for _ in range(1000):  # requests to the host, while it tries
            if "mails cannot be sent" in str(host.query("server:info").result):
                break
        assert "mails cannot be sent" in host.log
        assert "down@acme" not in host.log
        assert answer(host, reference, "000000").status == 401


def test_without_new_users(tmp_path, smtp):
    with serve(tmp_path, config=config(smtp) + "[accounts.magic]\nauto_create = false\n") as host:
        body = {"content": {"profileIds": ["default"]}, "credentials": {"magic": {"subject": "known@nobody.example"}}}
        made = host.query("security:createUser", _id="known", body=body)
        assert made.status == 200, made.body
        reference = ask(host, "stranger@nobody.example")
        wrong = answer(host, reference, other(smtp.code("stranger@nobody.example")))
        right = answer(host, reference, smtp.code("stranger@nobody.example"))
        assert (right.status, right.body["error"]) == (wrong.status, wrong.body["error"])
        known = answer(host, ask(host, "known@nobody.example"), smtp.code("known@nobody.example"))
        assert known.result["_id"] == "known"


def test_fifteen_minutes(tmp_path, smtp):
    async def main():
        clock = Clock()
        settings = {"magic": {"smtp": f"127.0.0.1:{smtp.port}", "starttls": False}}
        async with build_host(tmp_path, settings, clock) as host:
            await host.open()
            for number, (seconds, right) in enumerate([(899, True), (901, False)], 1):
                asked = await host.run("auth:login", {"email": "soon@acme.example"}, strategy="magic")
                code = await asyncio.to_thread(smtp.code, "soon@acme.example", number)
                clock.advance(seconds)
                body = {"challenge": asked.reply.result["challenge"]["reference"], "code": code}
                assert ((await host.run("auth:login", body, strategy="magic")).error is None) == right

    asyncio.run(main())
