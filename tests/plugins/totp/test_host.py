"""A second factor from enrolment to its end, over HTTP and over a WebSocket."""

from __future__ import annotations

import base64
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from visado_kit.live import serve

from .conftest import CONFIG, PASSWORD, Door
from .phone import Phone


def test_a_whole_life(door, name):
    token = door.token(door.user(name))
    assert door.query("totp:getStatus", token=token).result == {
        "enrolled": False,
        "required": False,
        "since": None,
        "recoveryCodes": 0,
    }
    begun = door.query("totp:begin", token=token).result
    phone = Phone(begun["uri"])
    assert (phone.secret, phone.issuer, phone.label) == (begun["secret"], "visado", f"/visado:{name}")
    door.token(name)  # nothing is asked yet
    answer = door.query("totp:confirm", token=token, body={"enrolment": begun["enrolment"], "code": phone.code()})
    assert len(answer.result["recoveryCodes"]) == 10
    status = door.query("totp:getStatus", token=token).result
    assert (status["enrolled"], status["recoveryCodes"]) == (True, 10)

    challenge = door.challenged(name)
    assert (challenge["check"], challenge["strategy"]) == ("totp", "local")
    assert challenge["data"] == {"enrol": False, "digits": 6, "attempts": 3, "remember": 0}
    answer = door.reply(challenge, phone.code())
    assert answer.result["_id"] == name
    assert set(answer.result) == {"_id", "expiresAt", "jwt", "ttl"}
    assert door.query("auth:getCurrentUser", token=answer.result["jwt"]).result["_id"] == name

    assert door.query("totp:begin", token=token).error_id == "totp.enrolment.exists"
    assert door.query("totp:disable", token=token, body={"code": phone.wrong()}).error_id == "totp.code.wrong"
    door.challenged(name)
    assert door.query("totp:disable", token=token, body={"code": phone.code()}).result == {"acknowledged": True}
    door.token(name)
    for action in ("disable", "renewRecoveryCodes"):
        assert door.query(f"totp:{action}", token=token, body={"code": "1"}).error_id == "totp.enrolment.not_found"
    assert door.query("totp:forgetDevices", token=token).error_id == "totp.enrolment.not_found"


def test_the_picture_is_a_png_of_the_address(door, name):
    begun = door.query("totp:begin", token=door.token(door.user(name, mail="ann@example.com"))).result
    kind, _, data = begun["qr"].partition(",")
    png = base64.b64decode(data, validate=True)
    assert kind == "data:image/png;base64"
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    assert width == height > 100


def test_nobody_else_may_ask(door):
    for action in ("getStatus", "begin", "forgetDevices"):
        assert door.query(f"totp:{action}").error_id == "security.rights.unauthorized"
    for action in ("confirm", "disable", "renewRecoveryCodes"):
        body = {"enrolment": "x", "code": "1"}
        assert door.query(f"totp:{action}", body=body).error_id == "security.rights.unauthorized"


def test_a_code_works_once(door, name):
    phone, token, _ = door.enrolled(name)
    code = phone.code()
    assert "jwt" in door.reply(door.challenged(name), code).result
    again = door.reply(door.challenged(name), code)
    assert again.error_id == "security.login.challenged"
    assert again.body["error"]["message"] == "Wrong code, or one that was used already."
    assert door.query("totp:disable", token=token, body={"code": code}).error_id == "totp.code.wrong"
    assert "jwt" in door.reply(again.result["challenge"], phone.code()).result


def test_the_code_that_confirms_is_used_up(door, name):
    token = door.token(door.user(name))
    begun = door.query("totp:begin", token=token).result
    code = Phone(begun["uri"]).code()
    door.query("totp:confirm", token=token, body={"enrolment": begun["enrolment"], "code": code})
    assert door.reply(door.challenged(name), code).error_id == "security.login.challenged"


@pytest.mark.parametrize("kind", ["code", "recovery code"])
def test_of_twenty_who_use_a_code_at_once_one_gets_in(door, name, kind):
    phone, _, recovery = door.enrolled(name)
    code = phone.code() if kind == "code" else recovery[0]
    challenges = [door.challenged(name) for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda each: door.reply(each, code), challenges))
    assert [answer.result["_id"] for answer in answers if answer.error_id is None] == [name]
    assert {answer.status for answer in answers} <= {200, 401, 429}


def test_a_login_ends_after_three_wrong_codes(door, name):
    phone, _, _ = door.enrolled(name)
    challenge = door.challenged(name)
    for left in (2, 1):
        answer = door.reply(challenge, phone.wrong())
        assert answer.error_id == "security.login.challenged"
        assert answer.result["challenge"]["data"]["attempts"] == left
        used, challenge = challenge, answer.result["challenge"]
        assert door.reply(used, phone.code()).error_id == "plugin.strategy.missing_user", "a reference works once"
    assert door.reply(challenge, phone.wrong()).error_id == "plugin.strategy.missing_user"
    assert "jwt" in door.reply(door.challenged(name), phone.code()).result


def test_guessing_ends_after_ten_wrong_codes_whatever_the_challenge(door, name):
    phone, token, recovery = door.enrolled(name)
    waiting = door.challenged(name)
    for _ in range(10):
        door.reply(door.challenged(name), phone.wrong())
    refused = [door.login(name), door.reply(waiting, phone.code())]
    refused += [door.query("totp:disable", token=token, body={"code": each}) for each in (phone.code(), recovery[0])]
    for answer in refused:
        assert (answer.status, answer.error_id) == (429, "totp.code.too_many")
        assert 3500 < int(answer.body["error"]["props"][0]) <= 3600
    assert door.query("auth:getCurrentUser", token=token).status == 200


def test_a_recovery_code_works_once(door, name):
    phone, token, recovery = door.enrolled(name)
    assert len(set(recovery)) == 10
    typed = recovery[0].upper().replace("-", " ")
    assert "jwt" in door.reply(door.challenged(name), typed).result
    assert door.reply(door.challenged(name), recovery[0]).error_id == "security.login.challenged"
    assert door.query("totp:getStatus", token=token).result["recoveryCodes"] == 9
    fresh = door.query("totp:renewRecoveryCodes", token=token, body={"code": phone.code()}).result["recoveryCodes"]
    assert not {*fresh} & {*recovery}
    assert door.reply(door.challenged(name), recovery[1]).error_id == "security.login.challenged"
    assert "jwt" in door.reply(door.challenged(name), fresh[1]).result
    assert door.query("totp:disable", token=token, body={"code": fresh[2]}).status == 200


def test_an_offer_is_of_one_user_and_of_no_use_twice(door, name):
    first, other = door.token(door.user(name)), door.token(door.user(f"{name}-other"))
    begun = door.query("totp:begin", token=first).result
    phone = Phone(begun["uri"])
    body = {"enrolment": begun["enrolment"], "code": phone.code()}
    assert door.query("totp:confirm", token=other, body=body).error_id == "totp.enrolment.invalid"
    assert door.query("totp:confirm", token=first, body={**body, "code": phone.wrong()}).error_id == "totp.code.wrong"
    assert door.query("totp:confirm", token=first, body=body).status == 200
    assert door.query("totp:confirm", token=first, body=body).error_id == "totp.enrolment.exists"


def test_refreshed_tokens_and_api_keys_go_on(door, name):
    _, token, _ = door.enrolled(name)
    key = door.query("auth:createApiKey", token=token, body={"description": "x"}).result["_source"]["token"]
    refreshed = door.query("auth:refreshToken", token=token).result["jwt"]
    for each in (key, refreshed):
        assert door.query("auth:getCurrentUser", token=each).result["_id"] == name


def test_a_new_password_is_no_way_around(door, name):
    phone, _, _ = door.enrolled(name)
    controller = "kuzzle-plugin-auth-passport-local/password"
    reset = door.host.query(f"{controller}:getResetPasswordToken", _id=name).result["resetToken"]
    body = {"token": reset, "password": f"{PASSWORD} too"}
    answer = door.query(f"{controller}:reset", body=body)
    assert answer.error_id == "security.login.challenged"
    answer = door.reply(answer.result["challenge"], phone.code())
    assert answer.result["_id"] == name


def test_an_administrator_switches_it_off(door, name):
    phone, _, _ = door.enrolled(name)
    challenge = door.challenged(name)
    assert door.query("security:disableTotp", _id=name).result == {"acknowledged": True}
    assert door.query("security:disableTotp", _id=name).error_id == "totp.enrolment.not_found"
    assert door.reply(challenge, phone.code()).error_id == "totp.enrolment.not_found"
    door.token(name)


def test_who_gets_the_id_of_a_deleted_user_inherits_nothing(door, name):
    phone, _, _ = door.enrolled(name)
    challenge = door.challenged(name)
    assert door.query("security:deleteUser", _id=name).status == 200
    door.user(name)
    assert door.reply(challenge, phone.code()).error_id == "plugin.strategy.missing_user"
    token = door.token(name)
    assert door.query("totp:getStatus", token=token).result["enrolled"] is False


def test_nothing_is_forgotten_when_the_host_is_killed(tmp_path):
    with serve(tmp_path, config=CONFIG) as host:
        door = Door(host, "http")
        phone, _, recovery = door.enrolled("ann")
        code = phone.code()
        assert "jwt" in door.reply(door.challenged("ann"), code).result
        assert "jwt" in door.reply(door.challenged("ann"), recovery[0]).result
        challenge = door.challenged("ann")
        host.kill()
        host.start()
        for used in (code, recovery[0]):
            answer = door.reply(challenge, used)
            assert answer.error_id == "security.login.challenged"
            challenge = answer.result["challenge"]
        assert "jwt" in door.reply(challenge, phone.code()).result


def test_no_secret_is_in_the_log_nor_in_the_storage(tmp_path):
    with serve(tmp_path, config=CONFIG + 'remember_devices = "1d"\n') as host:
        door = Door(host, "http")
        phone, _, recovery = door.enrolled("ann")
        door.reply(door.challenged("ann"), phone.wrong())
        device = door.reply(door.challenged("ann"), recovery[0], remember=True).result["device"]
        begun = door.query("totp:begin", token=door.token(door.user("bob"))).result
        assert (tmp_path / "data/totp-secret").stat().st_mode & 0o777 == 0o600
    kept = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    raw = base64.b32decode(phone.secret)
    for secret in (phone.secret, begun["secret"], device, *recovery, *(each.replace("-", "") for each in recovery)):
        assert secret.encode() not in kept
    assert raw not in kept
    assert base64.b64encode(raw).rstrip(b"=") not in kept


def test_where_the_key_cannot_be_read_nobody_logs_in(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "totp-secret").write_text("too short")
    with serve(tmp_path, config=CONFIG) as host:
        door = Door(host, "http")
        assert door.login(door.user("ann")).status == 503
        assert "totp-secret holds no secret" in host.log
