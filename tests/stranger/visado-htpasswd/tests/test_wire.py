import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
from visado_kit import serve

pytest_plugins = ["visado_kit.fixtures"]

LOGIN = "/_login/htpasswd"
WRONG = "plugin.strategy.missing_user"


@pytest.fixture
def more():
    return ""


@pytest.fixture
def host_config(users, more):
    users.add("ada", "correct horse")
    return f'[htpasswd]\nfile = "{users.path}"\n{more}'


def basic(name, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def link(host, name, user_id, **more):
    credentials = {"htpasswd": {"username": name, **more}}
    body = {"content": {"profileIds": ["default"]}, "credentials": credentials}
    return host.query("security:createUser", _id=user_id, body=body)


def login(client, name, password):
    return client.query("auth:login", strategy="htpasswd", body={"username": name, "password": password})


def who(host, answer):
    return host.request("GET", "/_me", token=answer.result["jwt"]).result["_id"]


def test_logs_in_over_http(host):
    assert link(host, "ada", "lovelace").status == 200
    assert who(host, login(host, "ada", "correct horse")) == "lovelace"
    assert who(host, host.request("POST", LOGIN, headers=basic("ada", "correct horse"))) == "lovelace"
    assert who(host, host.request("GET", LOGIN, headers=basic("ada", "correct horse"))) == "lovelace"


def test_refuses_alike(host):
    link(host, "ada", "lovelace")
    wrong = host.request("POST", LOGIN, headers=basic("ada", "wrong"))
    unknown = host.request("POST", LOGIN, headers=basic("nobody", "wrong"))
    assert wrong.status == unknown.status == 401
    assert wrong.error_id == unknown.error_id == WRONG
    assert login(host, "ada", "wrong").error_id == login(host, "nobody", "wrong").error_id == WRONG
    assert host.request("POST", LOGIN).error_id == WRONG


def test_the_body_goes_before_the_header(host):
    link(host, "ada", "lovelace")
    body = {"username": "ada", "password": "wrong"}
    assert host.request("POST", LOGIN, body, headers=basic("ada", "correct horse")).status == 401


def test_logs_in_over_a_websocket(host):
    link(host, "ada", "lovelace")
    with host.socket() as socket:
        assert who(host, login(socket, "ada", "correct horse")) == "lovelace"
    for name in ("ada", "nobody"):
        with host.socket() as socket:
            assert login(socket, name, "wrong").error_id == WRONG


def test_hears_of_a_new_password_at_once(host, users):
    link(host, "ada", "lovelace")
    assert login(host, "ada", "correct horse").status == 200
    users.set("ada", "battery staple")
    assert login(host, "ada", "correct horse").status == 401
    assert login(host, "ada", "battery staple").status == 200


def test_an_absent_file_lets_nobody_in_and_says_so(host, users):
    link(host, "ada", "lovelace")
    users.path.unlink()
    assert login(host, "ada", "correct horse").error_id == "htpasswd.file.unreadable"
    assert "No such file" in problem(host)
    users.add("ada", "correct horse")
    assert login(host, "ada", "correct horse").status == 200
    assert problem(host) == "ready"


def problem(host):
    return host.query("server:info").result["serverInfo"]["kuzzle"]["strategies"]["htpasswd"]


def test_other_hashes_are_shown_to_the_operator(host, users):
    users.add_line("bob:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=")
    assert link(host, "bob", "bob").error_id == "htpasswd.name.unknown"
    assert "line 2 (bob): not bcrypt" in problem(host)
    assert login(host, "bob", "myPassword").error_id == WRONG


def test_links_only_names_of_the_file(host):
    assert link(host, "nobody", "x").error_id == "htpasswd.name.unknown"
    assert link(host, "a:b", "x").error_id == "htpasswd.name.invalid"
    assert link(host, "ada", "x", password="wrong").error_id == "htpasswd.password.wrong"
    assert link(host, "ada", "x", password="correct horse").status == 200
    assert link(host, "ada", "y").error_id == "security.credentials.subject_taken"


def test_users_prove_that_a_name_is_theirs(host, canaries):
    admin = host.create_admin("admin", canaries.make("password"))
    role = {"controllers": {"auth": {"actions": {"createMyCredentials": True}}}}
    host.query("security:createRole", _id="linker", body=role, token=admin)
    host.query("security:createProfile", _id="linker", body={"policies": [{"roleId": "linker"}]}, token=admin)
    mine = {"username": "mallory", "password": canaries.make("password")}
    user = {"content": {"profileIds": ["linker"]}, "credentials": {"local": mine}}
    host.query("security:createUser", body=user, token=admin)
    token = host.login(**mine)

    def take(**body):
        return host.query("auth:createMyCredentials", strategy="htpasswd", body=body, token=token)

    assert take(username="ada").error_id == "htpasswd.password.required"
    assert take(username="ada", password="wrong").error_id == "htpasswd.password.wrong"
    assert take(username="nobody", password="wrong").error_id == "htpasswd.password.wrong"
    assert take(username="ada", password="correct horse").result == {"username": "ada"}


def test_makes_nobody_unasked(host):
    assert login(host, "ada", "correct horse").error_id == WRONG
    assert "belongs to no user" in host.log


@pytest.mark.parametrize("more", ['auto_create = true\nprofiles = ["default", "admin"]\n'])
def test_makes_a_user_at_the_first_login_once(host):
    assert login(host, "ada", "wrong").error_id == WRONG
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: login(host, "ada", "correct horse"), range(12)))
    assert {answer.status for answer in answers} == {200}
    (made,) = {answer.result["_id"] for answer in answers}
    found = host.query("security:searchUsers", body={}).result["hits"]
    assert [each["_id"] for each in found] == [made]
    assert found[0]["_source"]["profileIds"] == ["default", "admin"]
    shown = host.query("security:getCredentialsById", strategy="htpasswd", _id="ada").result
    assert shown == {"username": "ada", "kuid": made}


@pytest.mark.parametrize("more", ['auto_create = true\nprofiles = ["nobles"]\n'])
def test_a_profile_that_is_not_there_is_the_operators_affair(host):
    assert login(host, "ada", "correct horse").error_id == "htpasswd.user.uncreatable"
    assert "nobles" in host.log
    assert host.query("security:searchUsers", body={}).result["total"] == 0


def test_starts_without_a_file_and_says_what_it_misses(tmp_path):
    with serve(tmp_path) as host:
        assert problem(host) == "[htpasswd] file is not set"
        assert "[htpasswd] file is not set" in host.log
        assert login(host, "ada", "correct horse").error_id == "htpasswd.file.unreadable"
