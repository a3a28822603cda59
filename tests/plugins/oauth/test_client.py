"""Requests to providers: TLS and client authentication."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import ssl
import time
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from visado_oauth.client import ProviderClient, authenticate_client
from visado_oauth.errors import ProviderFailed
from visado_oauth.login.provider_requests import ProviderRequests
from visado_oauth.providers.address_guard import AddressGuard
from visado_oauth.providers.provider import resolve_provider
from visado_oauth.settings import ProviderSettings

from . import hostile


@pytest.fixture
def shady():
    made = hostile.Hostile()
    yield made
    made.close()


def certificate(folder, *names):
    """Make a self-signed certificate."""
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    listed = [x509.DNSName(each) if each[0].isalpha() else x509.IPAddress(ip_address(each)) for each in names]
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))  # OpenSSL has a clock of its own
        .not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.SubjectAlternativeName(listed), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    file = folder / f"{names[0]}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return file


def test_the_certificate_is_checked_for_the_host_name(tmp_path, shady):
    file = certificate(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    shady._server.socket = context.wrap_socket(shady._server.socket, server_side=True)
    port = shady._server.server_address[1]

    async def scene():
        guard = AddressGuard(http_on_loopback=True)
        trusting, strict = ProviderClient(guard, 5, file), ProviderClient(guard, 5)
        found = await trusting.get("shady", f"https://localhost:{port}/jwks")
        assert found["keys"]
        assert shady.headers[-1][1]["Host"] == f"localhost:{port}"
        for http, url in (
            (trusting, f"https://127.0.0.1:{port}/jwks"),  # not the certificate's name
            (strict, f"https://localhost:{port}/jwks"),  # not trusted
            (ProviderClient(AddressGuard(), 5, file), f"https://localhost:{port}/jwks"),  # private
        ):
            with pytest.raises(ProviderFailed):
                await http.get("shady", url)

    asyncio.run(scene())


def made(issuer, **more):
    given = {
        "issuer": issuer,
        "authorize_url": f"{issuer}/authorize",
        "token_url": f"{issuer}/token",
        "client_id": "our:id",
    }
    given |= {"jwks_url": f"{issuer}/jwks", "redirect_uri": "https://a.example/back", **more}
    return resolve_provider(
        "shady", ProviderSettings.model_validate(given), None, "", AddressGuard(http_on_loopback=True)
    )


@pytest.mark.parametrize("auth", ["client_secret_basic", "client_secret_post", "none", "private_key_jwt"])
def test_client_authentication(shady, auth):
    key = ECKey.generate_key("P-256", {"kid": "ours"})
    secret = (
        {"private_key": key.as_pem(private=True).decode(), "key_id": "ours"}
        if "jwt" in auth
        else {"client_secret": "a:+ &%é"}
    )
    provider = made(shady.issuer, token_auth=auth, **secret)
    requests = ProviderRequests(ProviderClient(AddressGuard(http_on_loopback=True), 5))
    asyncio.run(requests.exchange(provider, hostile.code("sub-1"), provider.redirect_uri, "v" * 43))
    _, form = shady.forms[-1]
    headers = {name.lower(): text for name, text in shady.headers[-1][1].items()}
    assert form["grant_type"] == "authorization_code"
    assert form["redirect_uri"] == "https://a.example/back"
    assert form["code_verifier"] == "v" * 43
    if auth == "client_secret_basic":
        shown = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
        assert shown == "our%3Aid:a%3A%2B%20%26%25%C3%A9"
        assert "client_secret" not in form
    elif auth == "client_secret_post":
        assert (form["client_id"], form["client_secret"]) == ("our:id", "a:+ &%é")
    elif auth == "none":
        assert form["client_id"] == "our:id"
        assert "client_secret" not in form
    else:
        token = jwt.decode(form["client_assertion"], key, algorithms=["ES256"])
        assert token.header["kid"] == "ours"
        assert (token.claims["iss"], token.claims["sub"], token.claims["aud"]) == ("our:id", "our:id", shady.issuer)
        assert token.claims["exp"] - time.time() <= 60
        assert token.claims["jti"]


def test_a_signed_secret_is_a_fresh_jwt():
    key = ECKey.generate_key("P-256")
    given = {"provider": "apple", "client_id": "com.example", "variables": {"team": "TEAM"}, "key_id": "KEY"}
    given |= {"private_key": key.as_pem(private=True).decode(), "redirect_uri": "https://a.example/back"}
    provider = resolve_provider("apple", ProviderSettings.model_validate(given), None, "", AddressGuard())
    _, body = authenticate_client(provider, "https://appleid.apple.com/auth/token", {}, "grant_type=x")
    from urllib.parse import parse_qs

    form = parse_qs(body)
    token = jwt.decode(form["client_secret"][0], key, algorithms=["ES256"])
    assert token.header["kid"] == "KEY"
    assert (token.claims["iss"], token.claims["aud"]) == ("TEAM", "https://appleid.apple.com")
    assert token.claims["sub"] == "com.example"
