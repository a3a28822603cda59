"""What the host does with the identities and the sessions."""

from concurrent.futures import ThreadPoolExecutor

from idp import encoded
from test_attacks import alive, logged_in, post, refused, start, succeeded


def test_accounts(world_with):
    rules = (
        '[accounts.saml]\nrequire = {groups = ["b", "z"]}\ncontent = {name = "displayName"}\nprofiles = ["default"]\n'
    )
    world = world_with("", rules)
    with world.client() as client:
        login = start(client)
        assert succeeded(post(world, client, world.idp.respond(login.id, world.acs), login.state))
        content = client.get("/_me").json()["result"]["_source"]
        assert content["name"] == "Ada" and "mail" not in content
    for groups in (["a"], ["a", "c"], None):
        with world.client() as client:
            login = start(client)
            attributes = {"displayName": ["Bob"], **({"groups": groups} if groups else {})}
            xml = world.idp.respond(login.id, world.acs, "bob", attributes=attributes)
            assert refused(post(world, client, xml, login.state))


def test_no_new_users(world_with):
    world = world_with("", "[accounts.saml]\nauto_create = false\n")
    with world.client() as client:
        login = start(client)
        unknown = post(world, client, world.idp.respond(login.id, world.acs), login.state)
        login = start(client)
        forged = post(world, client, "x", login.state)
        assert refused(unknown) and refused(forged)
        assert unknown.json()["error"] == forged.json()["error"]
    world.host.query(
        "security:createUser",
        _id="ada",
        body={"content": {"profileIds": ["default"]}, "credentials": {"saml": {"subject": "ada-7"}}},
    )
    with world.client() as client:
        logged_in(world, client, "ada-7")
        assert client.get("/_me").json()["result"]["_id"] == "ada"


def test_restart_between(world_with):
    world = world_with()
    with world.client() as client, world.client() as anybody:
        login = start(client)
        world.host.stop(), world.host.start()
        assert succeeded(post(world, client, world.idp.respond(login.id, world.acs), login.state))
        world.host.kill(), world.host.start()
        assert alive(client)
        assert anybody.get(world.idp.log_out(world.acs, "ada-7", [])).status_code == 302
        assert not alive(client)


def test_many_at_once(world):
    def one(number):
        with world.client() as client:
            logged_in(world, client, f"many-{number}")
            token = client.kept["authToken"]
            return number, str(world.host.query("auth:getMyCredentials", strategy="saml", token=token).body)

    with ThreadPoolExecutor(12) as pool:
        results = pool.map(one, range(12))
        assert all(world.host.request("GET", "/_now").status == 200 for _ in range(20))
        for number, credentials in results:
            assert f"many-{number}'" in credentials, credentials


def test_a_refreshed_token_ends_with_the_session(world):
    with world.client() as client, world.client() as anybody:
        logged_in(world, client, "fresh-1")
        token = client.kept["authToken"]
        answer = world.host.query("auth:refreshToken", token=token)
        fresh = answer.result["jwt"]
        answer = anybody.get(world.idp.log_out(world.acs, "fresh-1", []))
        assert answer.status_code == 302 and "set-cookie" not in answer.headers
        assert not world.host.query("auth:checkToken", body={"token": fresh}).result["valid"]


def test_logout_by_a_form(world):
    """A logout request by POST binding does not reach the strategy: the host takes only answers from other sites."""
    with world.client() as client:
        logged_in(world, client, "form-1")
        headers = {"Origin": world.base, "Sec-Fetch-Site": "cross-site"}
        answer = client.post("/_login/saml", data={"SAMLRequest": encoded("<x/>")}, headers=headers)
        assert answer.status_code == 401


def test_a_further_token_ends_with_the_session(world):
    with world.client() as client, world.client() as anybody:
        logged_in(world, client, "further-1")
        further = world.host.query("auth:createToken", token=client.kept["authToken"]).result["token"]
        anybody.get(world.idp.log_out(world.acs, "further-1", []))
        assert not world.host.query("auth:checkToken", body={"token": further}).result["valid"]
