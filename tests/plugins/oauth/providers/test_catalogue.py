from __future__ import annotations

import pytest

from visado_oauth.errors import ProviderMisconfigured
from visado_oauth.login.identities import add_response, read_claims
from visado_oauth.openid.claims import merge_claims, read_subject
from visado_oauth.providers.address_guard import AddressGuard
from visado_oauth.providers.catalogue import find_record, record_names
from visado_oauth.providers.provider import resolve_provider
from visado_oauth.settings import ProviderSettings

NAMES = record_names()
EXAMPLES = {"environment": "0f0f0f0f", "region": "eu-west-1"}


def record(name):
    found = find_record(name)
    return found.with_variables(
        {each: EXAMPLES.get(each, f"{each}.example.com") for each, text in found.variables.items() if not text}
    )


def test_the_catalogue_has_the_popular_providers():
    assert len(NAMES) >= 40
    wanted = (
        "google apple microsoft entra github gitlab facebook linkedin x discord slack twitch spotify okta auth0 keycloak "
        "authentik zitadel cognito bitbucket gitea forgejo mastodon dropbox salesforce atlassian yandex line kakao naver"
    )
    assert set(wanted.split()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_read_as_expected(name):
    found = record(name)
    assert found.samples
    assert found.docs.startswith("https://")
    for sample in found.samples:
        document = merge_claims(sample.id_token, sample.userinfo) | {"token": sample.token}
        for asked, answer in zip(found.requests, sample.responses, strict=True):
            document = add_response(document, asked.into, answer)
        read = read_claims(found, document)
        assert read_subject(read, "sub") == sample.expected["sub"]
        shown = {**read, "sub": read_subject(read, "sub")}
        assert {name: shown.get(name) for name in sample.expected} == sample.expected


@pytest.mark.parametrize("name", NAMES)
def test_a_record_resolves_to_a_provider(name):
    found = find_record(name)
    variables = {each: EXAMPLES.get(each, f"{each}.example.com") for each, text in found.variables.items() if not text}
    key = {"private_key": "key", "key_id": "id"} if found.token_auth == "signed_secret" else {"client_secret": "secret"}
    given = ProviderSettings.model_validate({"provider": name, "client_id": "id", "variables": variables, **key})
    made = resolve_provider("mine", given, None, "https://auth.example.com", AddressGuard())
    assert made.redirect_uri == "https://auth.example.com/_login/mine"
    assert made.needs_discovery == (found.authorize_url is None)
    assert made.openid == found.openid
    if found.openid:
        assert "openid" in made.scopes
    for text in (*made.endpoints.values(), made.issuer, *(each.url for each in made.requests)):
        assert text.startswith("https://")
        assert "{" not in text


def test_microsoft_tokens_name_the_tenant():
    given = {"provider": "microsoft", "client_id": "id", "client_secret": "s"}
    made = resolve_provider("m", ProviderSettings.model_validate(given), None, "https://a.example", AddressGuard())
    assert made.expected_issuer({"tid": "one"}) == "https://login.microsoftonline.com/one/v2.0"
    assert made.expected_issuer({}) == "https://login.microsoftonline.com/{tid}/v2.0"
    metadata = {
        "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
        "authorization_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        "token_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        "jwks_uri": "https://login.microsoftonline.com/common/discovery/v2.0/keys",
    }
    assert made.with_metadata(metadata, AddressGuard()).endpoints["jwks_url"] == metadata["jwks_uri"]
    with pytest.raises(ProviderMisconfigured):
        made.with_metadata({**metadata, "issuer": "https://evil.example"}, AddressGuard())


@pytest.mark.parametrize("value", ["", "a@b", "a?b", "a#b", "a b", "../a", "a/../b", "a\n", "é"])
def test_variables_cannot_change_the_host(value):
    with pytest.raises(ProviderMisconfigured, match="variables"):
        find_record("keycloak").with_variables({"host": value, "realm": "r"})


def test_operators_can_add_records(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'title = "Mine"\ndocs = "https://a"\nissuer = "https://{host}"\n[variables]\nhost = "id.example.com"\n'
    )
    (tmp_path / "google.toml").write_text('title = "Not Google"\ndocs = "https://a"\nissuer = "https://b.example"\n')
    (tmp_path / "wrong.toml").write_text('title = "Wrong"\n')
    (tmp_path / "bad.toml").write_text("title = ")
    (tmp_path / "path.toml").write_text('title="P"\ndocs="d"\nissuer="https://b"\n[claims]\nsub = "a["\n')
    assert find_record("mine", tmp_path).with_variables({}).issuer == "https://id.example.com"
    assert find_record("google", tmp_path).title == "Not Google"
    assert {"mine", "google", "github"} <= set(record_names(tmp_path))
    for name in ("wrong", "bad", "path", "nobody", "../mine", "/etc/passwd"):
        with pytest.raises(ProviderMisconfigured):
            find_record(name, tmp_path)
