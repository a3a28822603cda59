"""A real host; the second factor and the contract in a host of this process."""

import asyncio
import base64

import pytest
from visado import Accept, Challenge, Fail, LoginCheck
from visado_kit import build_host, serve

CHALLENGE = 'Basic realm="visado", charset="UTF-8"'
CHAINS = '[chain.web]\nstrategies = ["basic", "local"]\n[chain.page]\nstrategies = ["local", "basic"]\n'


def basic(username, password, scheme="Basic"):
    return {"authorization": f"{scheme} {base64.b64encode(f'{username}:{password}'.encode()).decode()}"}


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("host"), config=CHAINS) as host:
        for name, password in (("ada", "correct horse"), ("josé", "pa:ss:wörd €"), ("empty", " ")):
            body = {
                "content": {"profileIds": ["default"]},
                "credentials": {"local": {"username": name, "password": password}},
            }
            assert host.query("security:createUser", _id=f"id-{name}", body=body).status == 200
        yield host


@pytest.mark.parametrize("verb", ["GET", "POST"])
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_logs_in(host, verb, scheme):
    for name, password in (("ada", "correct horse"), ("josé", "pa:ss:wörd €"), ("empty", " ")):
        response = host.request(verb, "/_login/basic", headers=basic(name, password, scheme))
        assert response.status == 200, response.body
        assert "www-authenticate" not in response.headers
        me = host.request("GET", "/_me", token=response.result["jwt"])
        assert me.result["_id"] == f"id-{name}"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("ada", "wrong"),
        basic("nobody", "correct horse"),
        basic("Ada", "correct horse"),
        basic("", ""),
        basic("ada", "Correct horse"),
        basic("ada", "correct horse "),
        basic("ada", ""),
        basic("", "correct horse"),
        basic("ada", "correct horse", "Bearerr"),
        {"authorization": "Basic"},
        {"authorization": "Basic "},
        {"authorization": "Basic YWRh"},
        {"authorization": "Basic ////"},
        {"authorization": "Basic YWRhOmNvcnJlY3QgaG9yc2U"},
        {"authorization": "Basic !YWRhOmNvcnJlY3QgaG9yc2U="},
        {"authorization": "Basic YWRhOmNvcnJlY3QgaG9yc2U=, Basic x"},
        {"authorization": "Basic " + base64.b64encode(b"ada:\xff\xfe").decode()},
        {"authorization": "Basic " + "A" * 6_000},
        {"authorization": "Basic " + base64.b64encode(b"a\0da:correct horse").decode()},
        {"authorization": "Basic " + base64.b64encode("ada:cörrect".encode("latin-1")).decode()},
    ],
)
def test_asks_for_the_password(host, headers):
    for strategy in ("basic", "web", "page"):
        response = host.request("POST", f"/_login/{strategy}", headers=headers)
        assert (response.status, response.error_id) == (401, "plugin.strategy.missing_user"), response.body
        assert response.headers["www-authenticate"] == CHALLENGE


def test_right_and_wrong_names_fail_alike(host):
    wrong, unknown = (host.request("POST", "/_login/basic", headers=basic(name, "x")) for name in ("ada", "nobody"))
    assert wrong.body["error"] == unknown.body["error"]


def test_the_body_is_not_looked_at(host):
    body = {"username": "ada", "password": "correct horse"}
    assert host.request("POST", "/_login/basic", body).status == 401
    assert host.request("POST", "/_login/basic", body, headers=basic("josé", "x")).status == 401
    answer = host.request("POST", "/_login/basic", {"username": "josé"}, headers=basic("ada", "correct horse"))
    assert answer.result["_id"] == "id-ada"


def test_in_a_chain_both_log_in(host):
    for chain in ("web", "page"):
        assert host.request("POST", f"/_login/{chain}", headers=basic("ada", "correct horse")).status == 200
        body = {"username": "ada", "password": "correct horse"}
        assert host.request("POST", f"/_login/{chain}", body).result["_id"] == "id-ada"
        assert host.request("POST", f"/_login/{chain}", body, headers=basic("ada", "x")).result["_id"] == "id-ada"


def test_the_headers_of_an_upgrade_log_nobody_in(host):
    with host.socket(headers=basic("ada", "correct horse")) as socket:
        answer = socket.query("auth:login", strategy="basic")
        assert (answer.status, answer.error_id) == (401, "plugin.strategy.missing_user")


def test_no_other_action_looks_at_it(host):
    assert host.request("GET", "/_me", headers=basic("ada", "correct horse")).result["_id"] == "-1"


def test_a_browser_gets_a_cookie(host):
    headers = basic("ada", "correct horse")
    cookie = host.request("POST", "/_login/basic?cookieAuth=true", headers={**headers, "origin": host.url})
    assert cookie.status == 200 and "authToken=" in cookie.headers["set-cookie"]
    kept = cookie.headers["set-cookie"].partition(";")[0]
    assert host.request("GET", "/_me", headers={"cookie": kept}).result["_id"] == "id-ada"


def test_secrets_are_in_no_log(host):
    host.request("POST", "/_login/basic", headers=basic("ada", "correct horse"))
    assert "correct horse" not in host.log
    assert basic("ada", "correct horse")["authorization"] not in host.log


class Code(LoginCheck):
    name = "code"

    async def check(self, login):
        assert login.strategy == "basic"
        self.methods = login.success.methods
        return Challenge({}, {"code": "4711"}, "the code, please")

    async def answer(self, login, state):
        return Accept() if login.request.fields.get("code") == state["code"] else Fail("wrong code")


def test_login_checks_count(tmp_path):
    async def main():
        async with build_host(tmp_path, {}) as host:
            check = Code()
            host.replace_login_check(check)
            await host.open()
            body = {
                "content": {"profileIds": ["default"]},
                "credentials": {"local": {"username": "ada", "password": "correct horse"}},
            }
            assert (await host.run("security:createUser", body, _id="ada")).error is None
            headers = basic("ada", "correct horse")
            first = await host.run("auth:login", strategy="basic", headers=headers)
            assert check.methods == {"pwd"}
            assert first.error.id == "security.login.challenged"

            reference = first.reply.result["challenge"]["reference"]
            for sent in (headers, basic("ada", "wrong"), {}):
                wrong = await host.run(
                    "auth:login", {"challenge": "klogin-x", "code": "4711"}, strategy="basic", headers=sent
                )
                assert wrong.error is not None
            second = await host.run("auth:login", {"challenge": reference, "code": "4711"}, strategy="basic")
            assert second.error is None and second.reply.result["_id"] == "ada"

    asyncio.run(main())


def test_without_local_nobody_logs_in(tmp_path):
    async def main():
        async with build_host(tmp_path, {"plugins": {"disabled": ["local"]}}) as host:
            await host.open()
            answer = await host.run("auth:login", strategy="basic", headers=basic("admin", "a long enough password"))
            assert answer.error.id == "security.credentials.unknown_strategy"

    asyncio.run(main())
