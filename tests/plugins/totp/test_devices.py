"""Remembered devices: the host does not challenge them."""

from __future__ import annotations

import pytest

from .conftest import Door

CONFIG = 'remember_devices = "30 days"\n'
MONTH = 30 * 86_400


@pytest.fixture
def door(running, transport):
    return Door(running(CONFIG), transport)


def test_a_device_that_wishes_so_is_not_asked_again(door, name):
    phone, token, _ = door.enrolled(name)
    challenge = door.challenged(name)
    assert challenge["data"]["remember"] == MONTH * 1_000
    device = door.reply(challenge, phone.code(), remember=True).result["device"]
    for _ in range(2):
        answer = door.login(name, device=device)
        assert "jwt" in answer.result
        assert "device" not in answer.result
    door.challenged(name)
    door.challenged(name, device=device + "x")
    assert door.query("totp:forgetDevices", token=token).status == 200
    door.challenged(name, device=device)


def test_a_device_replaces_no_password_and_is_of_one_user(door, name):
    phone, _, _ = door.enrolled(name)
    door.enrolled(f"{name}-other")
    device = door.reply(door.challenged(name), phone.code(), remember=True).result["device"]
    door.challenged(f"{name}-other", device=device)
    assert door.login(name, password="wrong", device=device).error_id == "plugin.strategy.missing_user"


def test_a_device_is_of_one_enrolment(door, name):
    phone, token, _ = door.enrolled(name)
    device = door.reply(door.challenged(name), phone.code(), remember=True).result["device"]
    door.query("totp:disable", token=token, body={"code": phone.code()})
    begun = door.query("totp:begin", token=token).result
    from .phone import Phone

    body = {"enrolment": begun["enrolment"], "code": Phone(begun["uri"]).code()}
    assert door.query("totp:confirm", token=token, body=body).status == 200
    door.challenged(name, device=device)


def test_who_guesses_does_not_shut_a_remembered_device_out(door, name):
    phone, _, _ = door.enrolled(name)
    device = door.reply(door.challenged(name), phone.code(), remember=True).result["device"]
    for _ in range(10):
        door.reply(door.challenged(name), phone.wrong())
    assert door.login(name).status == 429
    assert "jwt" in door.login(name, device=device).result


def test_a_browser_keeps_it_as_a_cookie(running, name):
    door = Door(host := running(CONFIG), "http")
    phone, _, _ = door.enrolled(name)
    answer = door.reply(door.challenged(name), phone.code(), remember="cookie")
    assert "device" not in answer.result
    text, *attributes = answer.headers["set-cookie"].split("; ")
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Strict", f"Max-Age={MONTH}"]
    assert text.startswith("visado-totp-")
    credentials = {"username": name, "password": "a long and private phrase"}
    for cookie, status in ((f"a=b; {text}; c", 200), ("a=b", 401), (f"{text}x", 401)):
        assert host.request("POST", "/_login/local", credentials, headers={"Cookie": cookie}).status == status
    with host.socket({"Cookie": text}) as socket:
        assert "jwt" in socket.query("auth:login", strategy="local", body=credentials).result


def test_the_cookie_of_a_secure_connection_is_bound_to_the_host(running, name):
    door = Door(running('remember_devices = "1d"\n[server]\npublic_url = "https://auth.example.com"\n'), "http")
    phone, _, _ = door.enrolled(name)
    answer = door.reply(door.challenged(name), phone.code(), remember="cookie")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-visado-totp-")
    assert "Secure" in cookie.split("; ")


def test_a_socket_has_no_cookies(running, name):
    door = Door(running(CONFIG), "websocket")
    phone, _, _ = door.enrolled(name)
    code = phone.code()
    assert door.reply(door.challenged(name), code, remember="cookie").error_id == "api.assert.invalid_argument"
    assert "jwt" in door.reply(door.challenged(name), code).result


def test_without_the_setting_nothing_is_remembered(running, transport, name):
    door = Door(running(), transport)
    phone, _, _ = door.enrolled(name)
    answer = door.reply(door.challenged(name), phone.code(), remember=True)
    assert "jwt" in answer.result
    assert "device" not in answer.result
