"""Responses that no honest provider would send, or that answer another login: none gives a token."""

import datetime
import re
import time
import zlib
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from idp import TRANSIENT, Idp, encoded
from saml2 import saml
from visado_kit import HOSTILE_VALUES


def start(client):
    """Start a login; return the id of the request and the reference."""
    answer = client.get("/_login/saml")
    assert answer.status_code == 302, answer.text
    return what(answer.headers["location"])


def what(location):
    query = parse_qs(urlsplit(location).query)
    xml = zlib.decompress(b64decode(query["SAMLRequest"][0]), -15).decode()
    return SimpleNamespace(id=re.search(r' ID="([^"]+)"', xml)[1], state=query["RelayState"][0])


def post(world, client, xml, state, origin="idp", **fields):
    headers = {"Origin": world.base if origin == "idp" else origin, "Sec-Fetch-Site": "cross-site"}
    return client.post(
        "/_login/saml", data={"SAMLResponse": encoded(xml), "RelayState": state, **fields}, headers=headers
    )


def succeeded(answer):
    return answer.status_code in (200, 302) and "authToken=kauth-" in "".join(answer.headers.get_list("set-cookie"))


def refused(answer):
    assert answer.status_code == 401, answer.text
    assert "kauth-" not in answer.text and "authToken" not in str(answer.headers)
    return True


def test_a_right_response(world):
    with world.client() as client:
        login = start(client)
        assert succeeded(post(world, client, world.idp.respond(login.id, world.acs), login.state))
        assert client.get("/_me").json()["result"]["_source"]["displayName"] == "Ada"


def test_the_same_user_each_time(world):
    ids = set()
    for name in ("ada-7", "ada-7", "ADA-7"):
        with world.client() as client:
            login = start(client)
            post(world, client, world.idp.respond(login.id, world.acs, name), login.state)
            ids.add(client.get("/_me").json()["result"]["_id"])
    assert len(ids) == 2


def test_replay(world):
    with world.client() as client:
        login = start(client)
        xml = world.idp.respond(login.id, world.acs)
        assert succeeded(post(world, client, xml, login.state))
        client.kept.pop("authToken")
        assert refused(post(world, client, xml, login.state))
        assert refused(post(world, client, xml, start(client).state))
        with world.client() as other:
            assert refused(post(world, other, xml, start(other).state))


def test_one_of_many_at_once(world):
    with world.client() as client, ThreadPoolExecutor(8) as pool:
        login = start(client)
        xml, cookies = world.idp.respond(login.id, world.acs), dict(client.kept)

        def send(_):
            with world.client() as each:
                each.kept.update(cookies)
                return post(world, each, xml, login.state)

        assert sum(succeeded(answer) for answer in pool.map(send, range(8))) == 1


def test_of_another_login(world):
    with world.client() as client:
        first, second = start(client), start(client)
        assert refused(post(world, client, world.idp.respond(first.id, world.acs), second.state))


def test_another_browser(world):
    with world.client() as client, world.client() as other:
        login = start(client)
        xml = world.idp.respond(login.id, world.acs)
        assert refused(post(world, other, xml, login.state))
        start(other)
        assert refused(post(world, other, xml, login.state))
        assert succeeded(post(world, client, xml, login.state)), "the thief did not use it up"


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost", "http://localhost.evil.example"])
def test_a_page_of_another_origin(world, origin):
    with world.client() as client:
        login = start(client)
        assert refused(post(world, client, world.idp.respond(login.id, world.acs), login.state, origin))


@pytest.mark.parametrize("state", ["", "x", "https://app.example/", "klogin-" + "A" * 43])
def test_without_a_login(world, state):
    for request_id in ("id-guess", None):
        with world.client() as client:
            assert refused(post(world, client, world.idp.respond(request_id, world.acs), state))
            start(client)
            assert refused(post(world, client, world.idp.respond(request_id, world.acs), state))


def unsigned(idp, login, acs):
    return idp.respond(login.id, acs, sign_assertion=False)


def altered(idp, login, acs):
    return idp.respond(login.id, acs).replace("ada-7", "eve-1")


def altered_but_response_signed(idp, login, acs):
    return idp.respond(login.id, acs, sign_response=True).replace("ada-7", "eve-1")


def only_the_response_signed(idp, login, acs):
    return idp.respond(login.id, acs, sign_assertion=False, sign_response=True)


def without_signature(idp, login, acs):
    return cut(idp.respond(login.id, acs))


def of_another_key(idp, login, acs):
    return idp.thief.respond(login.id, acs)


def for_another_address(idp, login, acs):
    return idp.respond(login.id, acs, destination="http://other.example/acs")


def for_another_provider(idp, login, acs):
    return idp.respond(login.id, acs, sp_entity_id="http://other.example/acs")


def unsolicited(idp, login, acs):
    return idp.respond(None, acs)


def transient(idp, login, acs):
    return idp.respond(login.id, acs, format=TRANSIENT)


def without_name(idp, login, acs):
    return idp.respond(login.id, acs, name="")


FORGED = [unsigned, altered, altered_but_response_signed, only_the_response_signed, without_signature, of_another_key,
          for_another_address, for_another_provider, unsolicited, transient, without_name]  # fmt: skip


@pytest.mark.parametrize("forge", FORGED, ids=lambda each: each.__name__)
def test_forged(world, forge):
    world.idp.thief = Idp(world.folder, world.base, "thief")
    with world.client() as client:
        login = start(client)
        assert refused(post(world, client, forge(world.idp, login, world.acs), login.state))


def test_encrypted(world):
    """Anybody can encrypt for this host: what is encrypted must be signed, too."""
    world.idp.thief = Idp(world.folder, world.base, "thief")
    for provider, signed, right in ((world.idp, True, True), (world.idp, False, False), (world.idp.thief, True, False)):
        with world.client() as client:
            login = start(client)
            xml = provider.respond(login.id, world.acs, sign_assertion=signed, encrypt_assertion=True)
            assert "EncryptedAssertion" in xml and "ada-7" not in xml
            answer = post(world, client, xml, login.state)
            assert succeeded(answer) if right else refused(answer), (signed, right)


def test_encrypted_beside_a_signed_one(world):
    """A signed assertion of the provider, and an own one that is encrypted."""
    thief = Idp(world.folder, world.base, "thief")
    for signed, order in ((True, 0), (False, 1)):
        with world.client() as client:
            login = start(client)
            xml = thief.respond(login.id, world.acs, "eve-1", sign_assertion=signed, encrypt_assertion=True)
            [(prefix, own)] = [
                (m[1], m[0])
                for m in re.finditer(r"<(ns\d+):EncryptedAssertion.*</\1:EncryptedAssertion>", xml, re.DOTALL)
            ]
            real = world.idp.respond(login.id, world.acs)
            whole = ASSERTION.search(real)[0]
            space = f'xmlns:{prefix}="urn:oasis:names:tc:SAML:2.0:assertion"'
            names = " ".join(set(re.findall(r'xmlns:ns\d+="[^"]+"', xml)))
            own = own.replace(f"<{prefix}:EncryptedAssertion", f"<{prefix}:EncryptedAssertion {names}", 1)
            assert space in names
            both = real.replace(whole, own + whole if order else whole + own)
            answer = post(world, client, both, login.state)
            if succeeded(answer):
                mine = world.host.query("auth:getMyCredentials", strategy="saml", token=client.kept["authToken"])
                assert "eve-1" not in str(mine.body), mine.body
                assert "ada-7" in str(mine.body)


def confirmation(response):
    return response.assertion.subject.subject_confirmation[0]


PAST, FUTURE = (
    (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for days in (-30, 30)
)
SIGNED = {
    "expired": lambda r: setattr(r.assertion.conditions, "not_on_or_after", PAST),
    "not yet": lambda r: setattr(r.assertion.conditions, "not_before", FUTURE),
    "confirmation expired": lambda r: setattr(confirmation(r).subject_confirmation_data, "not_on_or_after", PAST),
    "confirmation without end": lambda r: setattr(confirmation(r).subject_confirmation_data, "not_on_or_after", None),
    "confirms another login": lambda r: setattr(confirmation(r).subject_confirmation_data, "in_response_to", "id-x"),
    "confirms no login": lambda r: setattr(confirmation(r).subject_confirmation_data, "in_response_to", None),
    "another recipient": lambda r: setattr(confirmation(r).subject_confirmation_data, "recipient", "http://x.example/"),
    "sender vouches": lambda r: setattr(confirmation(r), "method", saml.SCM_SENDER_VOUCHES),
    "no confirmation": lambda r: setattr(r.assertion.subject, "subject_confirmation", []),
    "no audience": lambda r: setattr(r.assertion.conditions, "audience_restriction", []),
    "no conditions": lambda r: setattr(r.assertion, "conditions", None),
    "another audience": lambda r: setattr(
        r.assertion.conditions.audience_restriction[0].audience[0], "text", "http://x"
    ),
    "another issuer": lambda r: setattr(r.assertion.issuer, "text", "http://x.example/metadata"),
    "session over": lambda r: setattr(r.assertion.authn_statement[0], "session_not_on_or_after", PAST),
    "no login": lambda r: setattr(r.assertion, "authn_statement", []),
    "old response": lambda r: setattr(r, "issue_instant", PAST),
    "failed": lambda r: setattr(r.status.status_code, "value", "urn:oasis:names:tc:SAML:2.0:status:Responder"),
}


@pytest.mark.parametrize("change", SIGNED.values(), ids=SIGNED)
def test_signed_but_not_for_this(world, change):
    with world.client() as client:
        login = start(client)
        assert refused(post(world, client, world.idp.respond(login.id, world.acs, change=change), login.state))


def test_signed_and_for_this(world):
    """The changes above are refused for what they change: an unchanged response is accepted."""
    with world.client() as client:
        login = start(client)
        assert succeeded(
            post(world, client, world.idp.respond(login.id, world.acs, change=lambda _: None), login.state)
        )


ASSERTION = re.compile(r"<(ns\d+):Assertion .*</\1:Assertion>", re.DOTALL)
SIGNATURE = re.compile(r"<(ns\d+):Signature .*?</\1:Signature>|<(ns\d+):Signature>.*?</\2:Signature>", re.DOTALL)


def cut(text):
    return SIGNATURE.sub("", text)


def wrap(xml, how):
    whole = ASSERTION.search(xml)
    prefix, real = whole[1], whole[0]
    real_id = re.search(r' ID="([^"]+)"', real)[1]
    signature = SIGNATURE.search(real)[0]
    fake = cut(real).replace("ada-7", "eve-1").replace(real_id, "id-fake")
    same = fake.replace("id-fake", real_id)
    issuer_end = f"</{prefix}:Issuer>"

    def inside(outer, inner):
        return outer.replace(issuer_end, issuer_end + inner, 1)

    dsig = re.match(r"<(ns\d+):", signature)[1]
    holding = signature.replace(
        f"</{dsig}:Signature>", f"<{dsig}:Object>{cut(real)}</{dsig}:Object></{dsig}:Signature>"
    )
    new = {
        "before": fake + real, "after": real + fake, "same id before": same + real, "same id after": real + same,
        "signature moved": inside(fake, signature), "signature moved, same id": inside(same, signature),
        "real in the object": inside(fake, holding), "real in the object, same id": inside(same, holding),
        "real inside": inside(fake, real), "real in advice": fake.replace(f"</{prefix}:Conditions>", f"</{prefix}:Conditions><{prefix}:Advice>{real}</{prefix}:Advice>"),
        "fake in advice": real.replace(f"</{prefix}:Conditions>", f"</{prefix}:Conditions><{prefix}:Advice>{fake}</{prefix}:Advice>"),
        "real in the signature of the fake": fake.replace(f"</{prefix}:Assertion>", real + f"</{prefix}:Assertion>"),
    }[how]  # fmt: skip
    return xml.replace(real, new)


HOWS = ["before", "after", "same id before", "same id after", "signature moved", "signature moved, same id",
        "real in the object", "real in the object, same id", "real inside", "real in advice", "fake in advice",
        "real in the signature of the fake"]  # fmt: skip


@pytest.mark.parametrize("how", HOWS)
def test_signature_wrapping(world, how):
    with world.client() as client:
        login = start(client)
        xml = wrap(world.idp.respond(login.id, world.acs), how)
        assert "eve-1" in xml
        assert refused(post(world, client, xml, login.state))


def test_wrapped_in_extensions(world):
    with world.client() as client:
        login = start(client)
        xml = world.idp.respond(login.id, world.acs)
        real = ASSERTION.search(xml)[0]
        protocol = re.match(r"(?:<\?xml[^>]*>\s*)?<(ns\d+):Response", xml)[1]
        fake = cut(real).replace("ada-7", "eve-1").replace(re.search(r' ID="([^"]+)"', real)[1], "id-fake")
        status = f"<{protocol}:Status>"
        assert status in xml
        xml = xml.replace(real, fake).replace(status, f"<{protocol}:Extensions>{real}</{protocol}:Extensions>{status}")
        assert refused(post(world, client, xml, login.state))


def test_a_comment_cuts_no_name(world):
    with world.client() as client:
        login = start(client)
        xml = world.idp.respond(login.id, world.acs, "ada-7.evil.example").replace("ada-7.evil", "ada-7<!---->.evil")
        post(world, client, xml, login.state)
        token = client.kept.get("authToken")
        if token:
            answer = world.host.query("auth:getMyCredentials", strategy="saml", token=token)
            assert "ada-7.evil.example" in str(answer.result), answer.body


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'


@pytest.mark.parametrize("xml", ["", "x", "<x/>", "<", BOMB, FILE, "<x>" * 5000, "\0"])
def test_other_xml(world, xml):
    with world.client() as client:
        login = start(client)
        assert refused(post(world, client, xml, login.state))


def test_hostile_values(world):
    for value in HOSTILE_VALUES[::5]:  # each login starts processes of xmlsec1
        with world.client() as client:
            login = start(client)
            for body in (
                {"RelayState": login.state, "SAMLResponse": value},
                {"RelayState": value, "SAMLResponse": "x"},
            ):
                try:
                    answer = world.host.request(
                        "POST",
                        "/_login/saml",
                        body,
                        headers={"Cookie": "; ".join(f"{k}={v}" for k, v in client.kept.items())},
                    )
                except (ValueError, RecursionError):
                    continue
                assert answer.status < 500 and "kauth-" not in str(answer.body), (value, answer.body)


def test_profile_ids_of_the_provider_grant_nothing(world):
    with world.client() as client:
        login = start(client)
        attributes = {"profileIds": ["admin"], "_id": ["x"], "mail": ["m@example.org"]}
        xml = world.idp.respond(login.id, world.acs, "mallory", attributes=attributes)
        answer = post(world, client, xml, login.state)
        assert succeeded(answer), answer.text
        assert client.get("/_me").json()["result"]["_source"]["profileIds"] == ["default"]


def test_on_a_socket(world):
    with world.host.socket() as socket, world.host.socket() as other:
        answer = socket.query("auth:login", strategy="saml")
        assert answer.result, answer.body
        login = what(answer.result["headers"]["Location"])
        body = {"SAMLResponse": encoded(world.idp.respond(login.id, world.acs)), "RelayState": login.state}
        assert other.query("auth:login", strategy="saml", body=body).status == 401
        answer = socket.query("auth:login", strategy="saml", body=body)
        assert answer.status == 200 and answer.result["jwt"], answer.body


def test_link(world):
    content = {
        "content": {"profileIds": ["default"]},
        "credentials": {"local": {"username": "lin", "password": "a long enough password"}},
    }
    world.host.query("security:createUser", _id="lin", body=content)
    token = world.host.login("lin", "a long enough password")
    with world.client() as client:
        answer = client.post("/_me/credentials/saml/_link", headers={"Authorization": f"Bearer {token}"})
        where = answer.headers.get("location") or answer.json()["result"]["location"]
        login = what(where)
        answer = post(world, client, world.idp.respond(login.id, world.acs, "lin-1"), login.state)
        assert succeeded(answer), answer.text
        assert client.get("/_me").json()["result"]["_id"] == "lin"


def logged_in(world, client, name):
    login = start(client)
    xml = world.idp.respond(login.id, world.acs, name)
    assert succeeded(post(world, client, xml, login.state))
    return re.search(r'SessionIndex="([^"]+)"', xml)[1]


def alive(client):
    return client.get("/_me").status_code == 200 and not client.get("/_me").json()["result"]["_id"].startswith("-1")


def test_logout_by_the_provider(world):
    with world.client() as one, world.client() as two, world.client() as other, world.client() as anybody:
        index = logged_in(world, one, "out-1")
        logged_in(world, two, "out-1"), logged_in(world, other, "out-2")
        for wrong in (
            world.idp.log_out(world.acs, "out-1", [index], sign=False),
            world.idp.log_out(world.acs, "out-1", [index]).replace("RelayState=back", "RelayState=forth"),
            Idp(world.folder, world.base, "thief").log_out(world.acs, "out-1", [index]),
            f"{world.acs}?SAMLRequest=x", f"{world.acs}?SAMLRequest=",
        ):  # fmt: skip
            assert refused(anybody.get(wrong))
        assert alive(one) and alive(two)
        answer = anybody.get(world.idp.log_out(world.acs, "out-1", [index]))
        assert answer.status_code == 302 and answer.headers["location"].startswith(f"{world.base}/slo?SAMLResponse=")
        assert not alive(one) and alive(two) and alive(other)
        assert anybody.get(world.idp.log_out(world.acs, "out-1", [])).status_code == 302
        assert not alive(two) and alive(other)


def test_the_token_ends_with_the_session(world):
    with world.client() as client:
        login = start(client)
        soon = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
        xml = world.idp.respond(login.id, world.acs, session_not_on_or_after=soon)
        assert succeeded(post(world, client, xml, login.state))
        result = world.host.query("auth:checkToken", body={"token": client.kept["authToken"]}).result
        assert result["valid"] and result["expiresAt"] / 1000 < time.time() + 91


def test_the_host_is_well(world):
    plugins = world.host.query("security:listPlugins").result
    assert "quarantined" not in str(plugins).replace("'quarantined': None", "")
    assert "Traceback" not in world.host.log and " ERROR visado" not in world.host.log
