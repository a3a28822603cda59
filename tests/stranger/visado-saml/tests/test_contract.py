import asyncio
import tempfile
from base64 import b64decode
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from idp import Idp, encoded, write_metadata
from test_attacks import what
from visado_kit import ClientRequest, LoginContract, serve

ACS = "http://127.0.0.1:7512/_login/saml"


def settings_in(folder, **more):
    write_metadata(folder, "http://idp.example", ACS)
    saml = {"metadata": f"{folder}/idp.xml", "key": f"{folder}/sp.key", "certificate": f"{folder}/sp.crt", **more}
    return {"server": {"public_url": "http://127.0.0.1:7512"}, "saml": saml}


@cache
def provider():
    folder = Path(tempfile.mkdtemp())
    return settings_in(folder), Idp(folder, "http://idp.example")


class TestSaml(LoginContract):
    """The suite in this process, where no identity provider answers; `test_attacks` and `test_browser` have one."""

    steps = 2

    def make(self, host):
        return host.strategies["saml"]

    def settings(self):
        settings, self.idp = provider()
        return settings

    def request(self, harness, number):
        return {}

    def redirecting(self):
        return {}

    async def answer(self, harness, number, question):
        asked = what(question.location)
        response = await asyncio.to_thread(self.idp.respond, asked.id, ACS, f"name-{number}")
        fields = {"RelayState": asked.state, "SAMLResponse": encoded(response)}
        return ClientRequest(fields, origin="http://idp.example")

    def wrong(self, sent):
        response = b64decode(sent.body["SAMLResponse"]).decode()
        return replace(sent, body={**sent.body, "SAMLResponse": encoded(response.replace("name-", "nome-"))})


KEPT = {
    "test_is_declared_well",
    "test_a_right_login_succeeds",
    "test_empty_logins_pass_or_fail",
    "test_redirects_to_an_address",
    "test_an_answer_works_once",
    "test_pages_of_its_origins_may_post_answers",
}
"""Each login starts processes of xmlsec1: of the other tests, `test_attacks` and `test_rules` have some of few logins."""
for each in dir(LoginContract):
    if each.startswith("test_") and each not in KEPT:
        setattr(TestSaml, each, None)


def test_starts_without_settings(tmp_path):
    with serve(tmp_path) as host:
        answer = host.query("auth:login", strategy="saml", body={})
        assert (answer.status, answer.error_id) == (503, "saml.provider.not_ready")
        info = host.query("server:info").result["serverInfo"]["kuzzle"]["strategies"]
        assert "metadata" in str(info["saml"])


@pytest.mark.parametrize("metadata", ["<x/>"])
def test_wrong_metadata(tmp_path, metadata):
    settings = settings_in(tmp_path)
    (tmp_path / "idp.xml").write_text(metadata)
    lines = [
        f"[{name}]\n" + "".join(f'{key} = "{value}"\n' for key, value in table.items())
        for name, table in settings.items()
    ]
    with serve(tmp_path, config="\n".join(lines)) as host:
        [saml] = [line for line in host.report if "quarantined" in line]
        assert "metadata" in saml, host.report
        assert "Traceback" not in host.log
