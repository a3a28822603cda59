"""The command `visado totp:enrol`, with a running host."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from urllib.parse import quote

import pytest

from .conftest import PASSWORD, Door
from .phone import Phone


class Terminal:
    """A process of the command, and what is typed into it."""

    def __init__(self, host, *words):
        command = [sys.executable, "-m", "visado", "totp:enrol", "--url", host.url, *words]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True, cwd=host.folder
        )
        self.shown = ""

    def read_until(self, text):
        start = len(self.shown)
        while text not in self.shown[start:]:
            char = self._process.stderr.read(1)
            assert char, self.shown
            self.shown += char

    def type(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def end(self):
        out, rest = self._process.communicate(timeout=30)
        self.shown += rest
        return self._process.returncode, out


def scanned(terminal):
    secret = re.search(r"enter the secret ([A-Z2-7]{32})", terminal.shown)[1]
    return Phone(f"otpauth://totp/{quote('visado:ann')}?secret={secret}&issuer=visado")


@pytest.mark.parametrize("required", [False, True])
def test_enrols(running, name, required):
    door = Door(host := running("required = true\n" if required else ""), "http")
    terminal = Terminal(host, "--username", door.user(name), "--password", PASSWORD)
    terminal.read_until("The code that it shows: ")
    assert "\u2588" in terminal.shown, "a QR code"
    phone = scanned(terminal)
    terminal.type(phone.wrong())
    terminal.read_until("Wrong code")
    terminal.read_until("The code that it shows: ")
    terminal.type(phone.code())
    code, out = terminal.end()
    assert code == 0
    assert "jwt" in door.reply(door.challenged(name), json.loads(out)["recoveryCodes"][0]).result
    assert PASSWORD not in terminal.shown


def test_enrols_with_a_token(running, name):
    door = Door(host := running(), "http")
    terminal = Terminal(host, "--jwt", door.token(door.user(name)))
    terminal.read_until("The code that it shows: ")
    terminal.type(scanned(terminal).code())
    assert terminal.end()[0] == 0
    door.challenged(name)


def test_says_what_is_wrong(running, name):
    door = Door(host := running(), "http")
    door.enrolled(name)
    for words, reason in (
        (("--username", name, "--password", PASSWORD), "security.login.challenged"),
        (("--username", name, "--password", "wrong"), "plugin.strategy.missing_user"),
        (("--jwt", "none"), "security.token.invalid"),
        (("--jwt", "none", "--url", "http://127.0.0.1:1"), "refused"),
        (("--jwt", "none", "--url", f"{host.url}/_openapi"), "visado: "),
    ):
        code, out = (terminal := Terminal(host, *words)).end()
        assert (code, out) == (1, "")
        assert reason in terminal.shown
        assert "Traceback" not in terminal.shown
