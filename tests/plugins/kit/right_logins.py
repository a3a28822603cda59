"""Small correct strategies whose logins are no form with a password, and the kit's suite for them.

A guest, a code by mail, HTTP Basic, a provider that posts a signed answer (as SAML does), and credentials whose owner
has to prove them. `SKIPPED` of each suite says which tests have nothing to test there.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json

from pydantic import BaseModel

from visado import AccountRules, Challenge, Fail, Identity, Pass, Redirect, Strategy, Success, errors
from visado_kit import ClientRequest, LoginContract

from .right import Phrase, PhraseContract, hashed, is_text, verified

PROVIDER = "https://idp.example"
KEY = b"a key that the provider and the host share"
ENDINGS = {"test_redirects_to_an_address", "test_challenges_can_be_sent", "test_its_errors_pass"}
STEPS = {
    "test_an_answer_works_once",
    "test_a_wrong_answer_uses_up_a_try",
    "test_an_answer_belongs_to_its_login",
    "test_pages_of_its_origins_may_post_answers",
}
SECRETS = {"test_wrong_secret_and_unknown_subject_fail_alike", "test_the_whole_secret_counts"}
TIME = {"test_time_does_not_tell_who_exists"}
SPELLINGS = {"test_spellings_of_a_subject_are_one_subject"}


class Guests(Strategy):
    """Every login is that of a new user."""

    name = "guests"

    def __init__(self, host):
        self.users = host.users

    async def authenticate(self, request):
        return Success((await self.users.create({"profileIds": ["default"]})).id)


class GuestsContract(LoginContract):
    """The input of `Guests`."""

    Plugin = Guests
    SKIPPED = ENDINGS | STEPS | SECRETS | TIME | SPELLINGS
    stable = False

    def make(self, host):
        return self.Plugin(host)

    def request(self, harness, number):
        return {}


class MailForm(BaseModel):
    """The address to which a code is sent."""

    email: str


class Mailed(Strategy):
    """A code by mail. The address is the identity, in one spelling, and a new one gets a user."""

    name = "mailed"
    login_form = MailForm
    accounts = AccountRules(auto_create=True)
    tries = 3

    def __init__(self, host):
        self.outbox = {}

    async def authenticate(self, request):
        address = self.subject(request)
        if address is None:
            return Pass() if "email" not in request.fields else Fail("an address, please")
        code = self.new_code(address)
        self.outbox.setdefault(address, []).append(code)
        state = {"email": address, "hash": digest(code)}
        return Challenge({"length": len(code)}, state, "A code was sent.", tries=self.tries)

    async def answer(self, request, state):
        code = request.fields.get("code")
        if not is_text(code) or not hmac.compare_digest(digest(code), state["hash"]):
            return Fail("wrong code")
        return Success(Identity(state["email"], {"email": state["email"]}), methods=frozenset({"otp"}))

    def subject(self, request):
        email = request.fields.get("email")
        return email.strip().lower() if is_text(email) and "@" in email else None

    def new_code(self, address):
        return f"code-{len(self.outbox.get(address, ())):04}-for-{digest(address)[:8]}"


def digest(text):
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class MailedContract(LoginContract):
    """The input of `Mailed`."""

    Plugin = Mailed
    SKIPPED = (
        (ENDINGS - {"test_challenges_can_be_sent"})
        | TIME
        | {
            "test_pages_of_its_origins_may_post_answers",
            "test_the_whole_secret_counts",
        }
    )
    steps = 2
    repeatable = False

    def make(self, host):
        self.strategy = self.Plugin(host)
        return self.strategy

    def request(self, harness, number):
        return {"email": f"Ada-{number}@Example.org"}

    def answer(self, harness, number, question):
        return {"code": harness.strategy.outbox[f"ada-{number}@example.org"][-1]}

    def wrong(self, sent):
        return {**sent, "code": "code-of-another-mail"}

    def secrets_of(self, number):
        return self.strategy.outbox.get(f"ada-{number}@example.org", [])

    def passing(self):
        return {"other": "things"}

    def challenging(self):
        return {"email": "ada@example.org"}


class Basic(Strategy):
    """HTTP Basic: a name and a password in a header, and the header that asks for them."""

    name = "basic"
    asks = ('Basic realm="visado", charset="UTF-8"',)
    decoy = hashed("decoy")

    def __init__(self, host):
        self.credentials = host.credentials

    async def authenticate(self, request):
        sent = self.read(request)
        if sent is None:
            return Fail("a name and a password, please", self.asks)
        name, password = sent
        row = await self.credentials.get(self.name, name)
        right = await asyncio.to_thread(verified, row["hash"] if row else self.decoy, password)
        return Success(row["userId"], methods=frozenset({"pwd"})) if row and right else Fail("wrong", self.asks)

    def subject(self, request):
        sent = self.read(request)
        return sent[0] if sent is not None else None

    def read(self, request):
        scheme, _, text = (request.header("authorization") or "").partition(" ")
        try:
            name, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
        except ValueError:
            return None
        return (name, password) if scheme.lower() == "basic" and colon and is_text(name) else None


def basic(name, password):
    text = base64.b64encode(f"{name}:{password}".encode()).decode()
    return ClientRequest(headers={"authorization": f"Basic {text}"})


class BasicContract(LoginContract):
    """The input of `Basic`."""

    Plugin = Basic
    SKIPPED = ENDINGS | STEPS | {"test_the_whole_secret_counts"} | SPELLINGS
    repeatable = True

    def make(self, host):
        return self.Plugin(host)

    async def prepare(self, harness, number):
        user_id = await harness.create_user(number)
        kept = {"hash": hashed(f"password-{number}-xyzzy")}
        await harness.host.credentials.link("basic", f"name-{number}", user_id, kept)
        return user_id

    def request(self, harness, number):
        return basic(f"name-{number}", f"password-{number}-xyzzy")

    def wrong(self, sent):
        return basic("name-0", "another password")

    def unknown(self, sent):
        return basic("nobody", "another password")

    def secrets_of(self, number):
        return [f"password-{number}-xyzzy"]


class Signed(Strategy):
    """A provider that posts a signed answer to the host, as SAML does: `RelayState` brings the reference back."""

    name = "signed"
    title = "Example"
    posts_from = frozenset({PROVIDER})
    accounts = AccountRules(auto_create=True, content={"name": "name"})

    def __init__(self, host):
        self.credentials = host.credentials

    async def authenticate(self, request):
        if request.fields.get("down"):
            raise errors.Overloaded
        question = digest(request.reference)[:32]
        post = {"SAMLRequest": question, "RelayState": request.reference}
        return Redirect(f"{PROVIDER}/login", post, {"id": question})

    async def answer(self, request, state):
        claims = self.read(request.fields.get("SAMLResponse"))
        if claims is None or claims.get("InResponseTo") != state["id"]:
            return Fail("the answer of the provider is wrong")
        return Success(Identity(claims["sub"], {"name": claims["name"]}), session={"index": claims["index"]})

    def reference(self, request):
        reference = request.fields.get("RelayState")
        return reference if isinstance(reference, str) else None

    def read(self, sent):
        try:
            text, _, signature = base64.b64decode(sent, validate=True).partition(b".")
            right = hmac.compare_digest(hmac.new(KEY, text, "sha256").hexdigest().encode(), signature)
            return json.loads(base64.b64decode(text)) if right else None
        except (TypeError, ValueError):
            return None


def signed(claims, key=KEY):
    text = base64.b64encode(json.dumps(claims).encode())
    return base64.b64encode(text + b"." + hmac.new(key, text, "sha256").hexdigest().encode()).decode()


class SignedContract(LoginContract):
    """The input of `Signed`."""

    Plugin = Signed
    SKIPPED = {"test_challenges_can_be_sent", "test_the_whole_secret_counts"} | TIME | SPELLINGS
    steps = 2

    def make(self, host):
        return self.Plugin(host)

    def request(self, harness, number):
        return {}

    def answer(self, harness, number, question):
        claims = {"InResponseTo": question.post["SAMLRequest"], "sub": f"id-{number}", "name": "Ada", "index": "1"}
        sent = {"SAMLResponse": signed(claims), "RelayState": question.post["RelayState"]}
        return ClientRequest(sent, origin=PROVIDER)

    def wrong(self, sent):
        body = {**sent.body, "SAMLResponse": signed({"sub": "id-0"}, b"the key of another provider")}
        return ClientRequest(body, origin=PROVIDER)

    def redirecting(self):
        return {}

    def raising(self):
        return {"down": True}


class InvitedForm(BaseModel):
    """A name and a phrase, and the invitation that an owner needs."""

    name: str
    phrase: str
    invitation: str | None = None


class Invited(Phrase):
    """Like `Phrase`, with an invitation: who signs up has to show that the name was meant for it."""

    name = "invited"
    credentials_form = InvitedForm

    async def validate(self, user_id, credentials, by, *, update):
        self.prove(credentials, by)
        await super().validate(user_id, credentials, by, update=update)

    async def create(self, user_id, credentials, by):
        self.prove(credentials, by)
        return await super().create(user_id, credentials, by)

    def prove(self, credentials, by):
        if by.must_prove and not self.is_invited(credentials):
            raise errors.CredentialsRejected(reason="an invitation is needed")

    def is_invited(self, credentials):
        name, sent = credentials.get("name"), credentials.get("invitation")
        return is_text(name) and is_text(sent) and hmac.compare_digest(sent.encode(), invitation(name).encode())


def invitation(name):
    return hmac.new(KEY, name.encode(), "sha256").hexdigest()


class InvitedContract(PhraseContract):
    """The input of `Invited`."""

    Plugin = Invited
    SKIPPED = STEPS | {"test_challenges_can_be_sent"}

    def proven(self, credentials):
        return {**credentials, "invitation": invitation(credentials["name"])}


class TestGuests(GuestsContract):
    """The whole suite."""


class TestMailed(MailedContract):
    """The whole suite."""


class TestBasic(BasicContract):
    """The whole suite."""


class TestSigned(SignedContract):
    """The whole suite."""


class TestInvited(InvitedContract):
    """The whole suite."""
