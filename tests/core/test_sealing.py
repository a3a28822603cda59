"""Sealed texts: nobody reads or changes one, and those of earlier versions still open."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

import pytest

from visado import read_secret
from visado.sealing import MAX_SEALED_LENGTH, Sealer

SECRET = "0123456789abcdef" * 4
# Sealed by the modules that visado-totp and visado-oauth had before core lent them a sealer.
EARLIER = {
    "totp secret": (
        "visado-totp",
        json.dumps(["secret", "melis"]),
        "0KtFIUjCegGvGrtkV2LyeLBTpRKbFVBvIjWvkfOe5iYBrcOKsBQFb14ecQGC3MeOG9X3Cju4oSGm72GQ42YE31L0RqCm4M2Db18",
        {"secret": "OVFGCCHMWZJLZFJIZXLX35OAZSFF37TR"},
    ),
    "totp enrolment": (
        "visado-totp",
        json.dumps(["enrolment", "mélis\n\ud800"]),
        (
            "AdASfrClZ-O83ktdecFkVtSWiTDRBer4tmi1WkjXzq14r6cYxRv7R7xxPF9V84420tOdqMtur2C4_FaVEvTXR8xSQ_V9JyjI6L83MUx-nknR"
            "fQnkEl1mT_wjC8zWlarpDy0"
        ),
        {"secret": "OVFG", "digits": 6, "period": 30, "endsAt": 1795390339969},
    ),
    "oauth refresh token": (
        "visado-oauth refresh token",
        "refresh token",
        "_nkRV1I4KIrE-ixsY2MOdjehfXkm50rpLUPjByZwrpe7CCjzoQgeMChhSaHds6VWEfg",
        {"text": "1//0gé"},
    ),
    "oauth login state": (
        "visado-oauth login state",
        "login state",
        "u7zrN7UWAr0GzlBsnPJQ7GUEJvkuAGbeZ_iwtl8b37lGcMJK5Um0Hoc71scjtHh4Mc8yNsV1du2Jf_m1kdi0e5TDrYU",
        {"strategy": "acme", "ends_at": 1795390339},
    ),
    "oauth login cookie": (
        "visado-oauth login cookie",
        "login cookie",
        "M_4IAYmqK_Jnv0TsXp0sbwsVaA7fWJyxLlqfNGqs5F1w7I0MUhrLuJbW-9F8QPJqb3Xx3AIHYCeTnPc",
        {"strategy": "acme", "nonce": "n"},
    ),
}


@pytest.mark.parametrize(("label", "context", "text", "content"), EARLIER.values(), ids=EARLIER)
def test_a_text_that_an_earlier_version_sealed_still_opens(label, context, text, content):
    sealer = Sealer(lambda: SECRET, label)
    assert sealer.open(text, context) == content
    assert sealer.open(text, f"{context} ") is None
    assert sealer.open(sealer.seal(content, context), context) == content


def test_a_sealed_text_is_neither_read_nor_changed(tmp_path):
    sealer = Sealer(lambda: read_secret(tmp_path / "secret"), "one")
    text = sealer.seal({"a": 1}, "purpose")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert sealer.open(text, "purpose") == {"a": 1}
    assert sealer.open(text, "another") is None
    assert Sealer(lambda: read_secret(tmp_path / "secret"), "one").open(text, "purpose") == {"a": 1}
    assert Sealer(lambda: read_secret(tmp_path / "secret"), "two").open(text, "purpose") is None
    assert Sealer(lambda: "x" * 32, "one").open(text, "purpose") is None
    assert b'"a"' not in base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    for place in range(len(text)):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        assert sealer.open(changed, "purpose") in (None, {"a": 1})  # the last character holds bits that do not count
        assert sealer.open(text[:place], "purpose") is None
    for rubbish in ("", "=", "é", "a" * (MAX_SEALED_LENGTH + 1), "!!!!", "\ud800"):
        assert sealer.open(rubbish, "purpose") is None


def test_the_secret_is_read_once_and_when_it_is_needed():
    calls = []

    def read():
        calls.append(1)
        return "canary" * 8

    sealer = Sealer(read, "one")
    assert not calls
    sealer.prepare()
    sealer.seal({}, "purpose")
    assert len(calls) == 1
    assert "canary" not in repr(vars(sealer))


def test_a_secret_that_cannot_be_read_raises_when_the_sealer_is_prepared(tmp_path):
    (tmp_path / "secret").write_text("short")
    with pytest.raises(ValueError, match="holds no secret"):
        Sealer(lambda: read_secret(tmp_path / "secret"), "one").prepare()


def test_cryptography_is_imported_when_a_text_is_sealed_and_not_before():
    script = """if True:
        import sys
        from visado import Sealer
        sealer = Sealer(lambda: "x" * 32, "one")
        before = "cryptography" in sys.modules
        sealer.prepare()
        print(before, "cryptography" in sys.modules)
    """
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout == "False True\n"
