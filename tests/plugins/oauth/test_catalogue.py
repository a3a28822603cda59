from __future__ import annotations

import pytest

from visado_oauth import catalogue, claims, providers
from visado_oauth.catalogue import Misconfigured
from visado_oauth.guard import Reach
from visado_oauth.identity import joined, understood
from visado_oauth.settings import ProviderSettings

NAMES = catalogue.names()
EXAMPLES = {"environment": "0f0f0f0f", "region": "eu-west-1"}


def record(name):
    found = catalogue.find(name)
    return found.filled(
        {each: EXAMPLES.get(each, f"{each}.example.com") for each, text in found.variables.items() if not text}
    )


def test_the_catalogue_has_those_that_people_ask_for():
    assert len(NAMES) >= 40
    wanted = (
        "google apple microsoft entra github gitlab facebook linkedin x discord slack twitch spotify okta auth0 keycloak "
        "authentik zitadel cognito bitbucket gitea forgejo mastodon dropbox salesforce atlassian yandex line kakao naver"
    )
    assert set(wanted.split()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_understood(name):
    found = record(name)
    assert found.samples
    assert found.docs.startswith("https://")
    for sample in found.samples:
        document = claims.merge(sample.id_token, sample.userinfo) | {"token": sample.token}
        for asked, answer in zip(found.requests, sample.responses, strict=True):
            document = joined(document, asked.into, answer)
        read = understood(found, document)
        assert claims.identifier(read, "sub") == sample.expected["sub"]
        shown = {**read, "sub": claims.identifier(read, "sub")}
        assert {name: shown.get(name) for name in sample.expected} == sample.expected


@pytest.mark.parametrize("name", NAMES)
def test_a_record_makes_a_provider(name):
    found = catalogue.find(name)
    variables = {each: EXAMPLES.get(each, f"{each}.example.com") for each, text in found.variables.items() if not text}
    key = {"private_key": "key", "key_id": "id"} if found.token_auth == "signed_secret" else {"client_secret": "secret"}
    given = ProviderSettings.model_validate({"provider": name, "client_id": "id", "variables": variables, **key})
    made = providers.resolve("mine", given, None, "https://auth.example.com", Reach())
    assert made.redirect_uri == "https://auth.example.com/_login/mine"
    assert made.discovers == (found.authorize_url is None)
    assert made.openid == found.openid
    if found.openid:
        assert "openid" in made.scopes
    for text in (*made.endpoints.values(), made.issuer, *(each.url for each in made.requests)):
        assert text.startswith("https://")
        assert "{" not in text


def test_microsoft_tokens_name_the_tenant():
    given = {"provider": "microsoft", "client_id": "id", "client_secret": "s"}
    made = providers.resolve("m", ProviderSettings.model_validate(given), None, "https://a.example", Reach())
    assert made.issuer_of({"tid": "one"}) == "https://login.microsoftonline.com/one/v2.0"
    assert made.issuer_of({}) == "https://login.microsoftonline.com/{tid}/v2.0"
    metadata = {
        "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
        "authorization_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        "token_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        "jwks_uri": "https://login.microsoftonline.com/common/discovery/v2.0/keys",
    }
    assert made.completed(metadata, Reach()).endpoints["jwks_url"] == metadata["jwks_uri"]
    with pytest.raises(Misconfigured):
        made.completed({**metadata, "issuer": "https://evil.example"}, Reach())


@pytest.mark.parametrize("value", ["", "a@b", "a?b", "a#b", "a b", "../a", "a/../b", "a\n", "é"])
def test_variables_cannot_lead_elsewhere(value):
    with pytest.raises(Misconfigured, match="variables"):
        catalogue.find("keycloak").filled({"host": value, "realm": "r"})


def test_operators_have_records_of_their_own(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'title = "Mine"\ndocs = "https://a"\nissuer = "https://{host}"\n[variables]\nhost = "id.example.com"\n'
    )
    (tmp_path / "google.toml").write_text('title = "Not Google"\ndocs = "https://a"\nissuer = "https://b.example"\n')
    (tmp_path / "wrong.toml").write_text('title = "Wrong"\n')
    (tmp_path / "bad.toml").write_text("title = ")
    (tmp_path / "path.toml").write_text('title="P"\ndocs="d"\nissuer="https://b"\n[claims]\nsub = "a["\n')
    assert catalogue.find("mine", tmp_path).filled({}).issuer == "https://id.example.com"
    assert catalogue.find("google", tmp_path).title == "Not Google"
    assert {"mine", "google", "github"} <= set(catalogue.names(tmp_path))
    for name in ("wrong", "bad", "path", "nobody", "../mine", "/etc/passwd"):
        with pytest.raises(Misconfigured):
            catalogue.find(name, tmp_path)


def test_signed_claims_win_and_nothing_vouches_for_another():
    merged = claims.merge({"sub": "1", "name": "signed"}, {"sub": "2", "name": "told", "locale": "fr", "iss": "x"})
    assert merged == {"sub": "1", "name": "signed", "locale": "fr"}
    assert "email_verified" not in claims.merge({"email": "a@b"}, {"email": "c@d", "email_verified": True})
    told = claims.merge({"email_verified": True}, {"email": "c@d"})
    assert told["email_verified"] is None


def test_attributes_are_kept_by_path():
    said = {"email": "a@b.c", "picture": {"data": {"url": "u"}}, "emails": [{"value": "v"}], "none": None}
    kept = claims.kept(
        said, ["email", "picture.data.url", "emails[0].value", "none", "a.b"], {"picture.data.url": "photo"}
    )
    assert kept == {"email": "a@b.c", "photo": "u", "emails[0].value": "v"}
