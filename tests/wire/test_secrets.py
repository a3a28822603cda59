from __future__ import annotations

import json
import re

import pytest

from visado_kit.live import LiveHost

PASSWORD = "canary-password-4711"
WRONG = "canary-wrong-4712"
SECRET = "canary-secret-of-more-than-thirty-two-bytes"
CONFIG = f"[server]\naccess_log = true\n[security.token]\nsecrets = ['{SECRET}']\n"


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    """Everything that a host with a busy day leaves behind: its log, its data and its metrics; and its secrets."""
    folder = tmp_path_factory.mktemp("traces")
    host = LiveHost(folder, config=CONFIG, environment={"PYTHONDEVMODE": "1"}).start()
    try:
        admin = host.create_admin("admin", PASSWORD)
        body = {
            "content": {"profileIds": ["admin"]},
            "credentials": {"local": {"username": "ann", "password": PASSWORD}},
        }
        host.query("security:createUser", _id="ann", body=body, token=admin)
        token = host.login("ann", PASSWORD)
        key = host.query("auth:createApiKey", body={"description": ""}, token=token).result["_source"]["token"]
        single = host.query("auth:createToken", singleUse=True, token=token).result["token"]
        cookie = host.request("POST", "/_login/local?cookieAuth=true", {"username": "ann", "password": PASSWORD})
        cookie_token = re.search("authToken=([^;]+)", cookie.headers["set-cookie"])[1]
        answers = [
            host.query("auth:login", body={"username": "ann", "password": WRONG}),
            host.query("auth:login", body={"username": WRONG, "password": WRONG}),
            host.request("POST", "/_login/local", b'{"username": "ann", "password": "%s"' % WRONG.encode()),
            host.request("POST", "/_login/local", b'{"token": "%s", "token": 1}' % token.encode()),
            host.request("POST", f"/_login/local?password={WRONG}", {}),
            host.request("GET", f"/_me?jwt={token}"),
            host.request("GET", "/_me", token=token + "x"),
            host.query("auth:refreshToken", token=key),
            host.query("auth:refreshToken", strategy="gone", token=token),
            host.query(
                "auth:createMyCredentials", strategy="local", body={"username": "b", "password": WRONG}, token=token
            ),
            host.query("auth:updateMyCredentials", strategy="local", body={"password": PASSWORD + "2"}, token=token),
            host.query("auth:getMyCredentials", strategy="local", token=token),
            host.query("security:getCredentials", strategy="local", _id="ann", token=admin),
            host.query("security:searchUsersByCredentials", strategy="local", body={}, token=admin),
            host.query(
                "security:searchUsersByCredentials",
                strategy="local",
                body={"query": {"term": {"hash": "x"}}},
                token=admin,
            ),
            host.query(
                "security:searchUsersByCredentials",
                strategy="local",
                body={"query": {}, "sort": [{"hash": "asc"}]},
                token=admin,
            ),
            host.query("auth:getCurrentUser", token=single),
            host.query("auth:getCurrentUser", token=single),
            host.query("server:getConfig", token=admin),
            host.query("server:info", token=admin),
            host.query("server:capabilities", token=admin),
            host.query("security:searchUsers", body={}, token=admin),
            host.query("auth:searchApiKeys", token=token),
            host.query("kuzzle-plugin-auth-passport-local/password:reset", body={"password": WRONG, "token": token}),
        ]
        metrics = host.request("GET", "/_metrics", token=admin).body
        host.query("auth:logout", token=token)
    finally:
        host.stop()
    files = {str(file): file.read_bytes() for file in (folder / "data").rglob("*") if file.is_file()}
    return {
        "log": host.log,
        "files": files,
        "metrics": metrics,
        "answers": answers,
        "secrets": [PASSWORD, WRONG, SECRET, token, key, single, admin, cookie_token],
    }


def forms(secret):
    """A secret, and the part of a token that makes it one."""
    return [secret, *([secret.split(".")[2]] if secret.count(".") == 2 else [])]


@pytest.mark.parametrize("number", range(8))
def test_no_secret_is_in_the_log_or_the_data_or_the_metrics(traces, number):
    for form in forms(traces["secrets"][number]):
        assert form not in traces["log"]
        assert form not in traces["metrics"]
        for name, data in traces["files"].items():
            assert form.encode() not in data, name


def test_no_answer_repeats_a_secret_or_shows_a_hash(traces):
    for answer in traces["answers"]:
        text = json.dumps(answer.body)
        assert "$argon2" not in text
        for secret in traces["secrets"]:
            assert not any(form in text for form in forms(secret) if form != WRONG), answer.body
        assert PASSWORD not in text
        assert "Traceback" not in text
        assert "/core/visado/" not in text


def test_searching_by_the_hash_is_refused(traces):
    refused = [answer for answer in traces["answers"] if answer.body.get("action") == "searchUsersByCredentials"][1:]
    assert [answer.status for answer in refused] == [403, 403], [answer.body for answer in refused]


def test_the_data_is_for_the_owner_alone(traces, tmp_path_factory):
    from pathlib import Path

    files = [Path(name) for name in traces["files"]]
    assert files
    for file in files:
        assert file.stat().st_mode & 0o077 == 0, file
    assert files[0].parent.stat().st_mode & 0o077 == 0
    assert any(b"$argon2id$" in data for data in traces["files"].values())


def test_the_log_has_a_line_per_request_and_nothing_of_its_query(traces):
    assert "/_login/local" in traces["log"]
    assert "canary" not in traces["log"]
    assert "Traceback" not in traces["log"]
