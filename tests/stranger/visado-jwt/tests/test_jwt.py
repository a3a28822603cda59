"""A real host, a real issuer, and attackers."""

import json
import time

import pytest
from cryptography.hazmat.primitives import serialization
from issuer import RSA, Issuer, forged
from visado_kit import serve


@pytest.fixture(scope="module")
def issuer():
    issuer = Issuer()
    yield issuer
    issuer.stop()


@pytest.fixture(scope="module")
def host(tmp_path_factory, issuer):
    with serve(
        tmp_path_factory.mktemp("host"), config=issuer.config() + "[limits]\nlogins_per_second = 1000\n"
    ) as host:
        yield host


def me(host, token):
    return host.request("GET", "/_me", token=token)


@pytest.mark.parametrize("kid", ["r0", "e0"])
def test_is_its_user_over_http_and_a_socket(host, issuer, kid):
    token = issuer.token(kid, email="ada@example.com", name="Ada", groups=["staff"])
    over_http = me(host, token)
    assert over_http.status == 200, over_http.body
    content = over_http.result["_source"]
    assert (content["name"], content["email"]) == ("Ada", "ada@example.com")
    assert "groups" not in content
    with host.socket() as socket:
        assert socket.query("auth:getCurrentUser", token=token).result["_id"] == over_http.result["_id"]
        assert socket.query("auth:checkToken", body={"token": token}).result["valid"] is True
    body = {"controller": "auth", "action": "getCurrentUser", "jwt": token}
    assert host.request("POST", "/_query", body).result["_id"] == over_http.result["_id"]


def test_one_subject_is_one_user(host, issuer):
    ids = {
        me(host, issuer.token(kid, sub=f"user-{number}", jti=f"{turn}")).result["_id"]
        for kid in ("r0", "e0")
        for number in range(3)
        for turn in range(2)
    }
    assert len(ids) == 3


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, "HS256"])
def test_unsigned_tokens_are_refused(host, issuer, alg):
    me(host, issuer.token())
    for header in ({"alg": alg, "kid": "r0"}, {"alg": alg}, {"alg": alg, "kid": "r0", "b64": False, "crit": ["b64"]}):
        assert me(host, forged(header, issuer.claims())).status == 401


def test_the_public_key_is_no_shared_secret(host, issuer):
    public = RSA[0].public_key()
    formats = serialization.PublicFormat
    secrets = [
        public.public_bytes(serialization.Encoding.PEM, formats.SubjectPublicKeyInfo),
        public.public_bytes(serialization.Encoding.PEM, formats.SubjectPublicKeyInfo).strip(),
        public.public_bytes(serialization.Encoding.DER, formats.SubjectPublicKeyInfo),
        public.public_bytes(serialization.Encoding.PEM, formats.PKCS1),
        json.dumps(issuer.jwks()["keys"][0]).encode(),
        b"",
    ]
    for secret in secrets:
        token = forged({"alg": "HS256", "kid": "r0", "typ": "JWT"}, issuer.claims(), secret)
        assert me(host, token).status == 401


def test_a_key_in_the_token_is_not_believed(host, issuer):
    jwk = Issuer.jwks(type("Other", (), {"keys": {"r0": RSA[2]}})())["keys"][0]
    for headers in ({"jwk": jwk}, {"jku": issuer.address}, {"x5u": issuer.address}):
        assert me(host, issuer.token("r0", key=RSA[2], headers=headers)).status == 401


def test_others_tokens_are_refused(host, issuer):
    now = int(time.time())
    for claims in ({"iss": "https://another.example"}, {"aud": "another"}, {"exp": now - 60}, {"nbf": now + 60}):
        response = me(host, issuer.token(**claims))
        assert (response.status, response.error_id) == (401, "security.token.invalid"), claims
        assert "Bearer" in response.headers["www-authenticate"]


def test_clocks_may_differ_a_little(host, issuer):
    now = int(time.time())
    for claims in ({"exp": now - 10}, {"nbf": now + 10}, {"iat": now + 10}):
        assert me(host, issuer.token(**claims)).status == 200, claims


ODD = [
    {"sub": ""},
    {"sub": "a\0b"},
    {"sub": "../admin"},
    {"sub": "-1"},
    {"exp": 1e300},
    {"exp": 10**15},
    {"exp": float("inf")},
    {"exp": 10**400},
    {"exp": "4000000000"},
    {"exp": True},
    {"exp": [1]},
    {"name": {"$ne": 1}},
    {"profileIds": ["admin"]},
    {"name": "y" * 5_000},
]
UNSTORABLE = [
    {"sub": "\ud800"},
    {"sub": "x" * 6_000},
    {"email": "\udfff"},
    {"name": float("nan")},
    {"deep": json.loads("[" * 200 + "]" * 200)},
]


@pytest.mark.parametrize("claims", ODD)
def test_odd_claims_give_no_rights(host, issuer, claims):
    response = me(host, issuer.token(**claims))
    assert response.status in (200, 400, 401), response.body
    assert response.status != 200 or response.result["_source"]["profileIds"] == ["default"]


@pytest.mark.parametrize("claims", UNSTORABLE)
def test_claims_that_cannot_be_stored_are_nobody(host, issuer, claims):
    response = me(host, issuer.token(**claims))
    assert (response.status, response.error_id) == (500, "plugin.verifier.invalid_result"), response.body


def test_unknown_keys_do_not_flood_the_issuer(host, issuer):
    assert me(host, issuer.token()).status == 200
    for number in range(50):
        assert me(host, issuer.token(f"k{number}", key=RSA[2])).status == 401
    assert issuer.fetches <= 2


def test_a_token_of_the_host_beside_it(tmp_path, issuer):
    with serve(tmp_path, config=issuer.config()) as host:
        admin = host.create_admin()
        token = issuer.token()
        foreign = me(host, token).result["_id"]
        body = {"controller": "auth", "action": "getCurrentUser", "jwt": admin}
        both = host.request("POST", "/_query", body, headers={"authorization": f"Bearer {token}"})
        assert both.result["_id"] == "admin", both.body
        swapped = host.request("POST", "/_query", {**body, "jwt": token}, headers={"authorization": f"Bearer {admin}"})
        assert swapped.error_id == "security.token.verification_error", swapped.body
        cookie = host.request(
            "GET", "/_me", headers={"authorization": f"Bearer {token}", "cookie": f"authToken={admin}"}
        )
        assert cookie.error_id == "security.token.verification_error", cookie.body
        with host.socket(headers={"authorization": f"Bearer {admin}"}) as socket:
            assert socket.query("auth:getCurrentUser", token=token).error_id == "security.token.verification_error"
        assert foreign not in ("admin", "user-0")
        assert host.request("GET", "/_serverInfo", token=token).status == 403


def test_the_host_issues_none_in_its_name(host, issuer):
    token = issuer.token()
    assert host.query("auth:refreshToken", token=token).status >= 400
    assert host.query("auth:logout", token=token).status == 200
    assert me(host, token).status == 200


def test_who_may_come_in_is_for_the_operator(tmp_path, issuer):
    config = (
        issuer.config()
        + '[accounts.jwt]\nprofiles = ["staff"]\ncontent = {mail = "email"}\nrequire = {groups = ["staff"]}\n'
    )
    with serve(tmp_path, config=config) as host:
        host.query("security:createProfile", _id="staff", body={"policies": [{"roleId": "default"}]})
        content = me(host, issuer.token(groups="staff", email="a@example.com")).result["_source"]
        assert (content["profileIds"], content["mail"]) == (["staff"], "a@example.com")
        assert me(host, issuer.token(sub="b", groups="guests")).status == 401


def test_without_auto_create_strangers_stay_out(tmp_path, issuer):
    with serve(tmp_path, config=issuer.config() + "[accounts.jwt]\nauto_create = false\n") as host:
        assert me(host, issuer.token()).error_id == "security.token.invalid"


def test_a_deleted_user_is_out(host, issuer):
    token = issuer.token()
    user = me(host, token).result["_id"]
    assert host.query("security:deleteUser", _id=user).status == 200
    assert me(host, token).result["_id"] != user  # made again, without what it had
