"""A small correct plugin of each kind, and the kit's suites for them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os

from pydantic import BaseModel

from visado import (
    Accept,
    Challenge,
    Collection,
    Fail,
    KeepsCredentials,
    LoginCheck,
    Observer,
    Pass,
    Redirect,
    Success,
    errors,
)  # fmt: skip
from visado.tinydb import TinyStorage
from visado_kit import LoginCheckContract, ObserverContract, StorageContract, StrategyContract

WRONG = "wrong name or phrase"


def hashed(phrase, salt=None):
    salt = salt or os.urandom(16)
    return (salt + hashlib.scrypt(phrase.encode(), salt=salt, n=2**12, r=8, p=1)).hex()


def verified(stored, phrase):
    return hmac.compare_digest(stored, hashed(phrase, bytes.fromhex(stored)[:16]))


def is_text(value):
    return isinstance(value, str) and 0 < len(value) <= 100 and value.isprintable()


class PhraseForm(BaseModel):
    """A name and a phrase."""

    name: str
    phrase: str


class Phrase(KeepsCredentials):
    """A name and a phrase, stored in the host's credentials; some names lead to the other outcomes."""

    name = "phrase"
    login_form = credentials_form = PhraseForm
    decoy = hashed("decoy")

    def __init__(self, host):
        self.host, self.credentials = host, host.credentials

    async def authenticate(self, request):
        match request.fields.get("name"):
            case None:
                return Pass()
            case "elsewhere":
                return Redirect("https://id.example.com/login")
            case "down":
                raise errors.Overloaded
        name, phrase = request.fields["name"], request.fields.get("phrase")
        if not (is_text(name) and is_text(phrase)):
            return Fail(WRONG)
        row = await self.credentials.get(self.name, name)
        right = await asyncio.to_thread(verified, row["hash"] if row else self.decoy, phrase)
        return Success(row["userId"]) if row and right else Fail(WRONG)

    def subject(self, request):
        name = request.fields.get("name")
        return name if is_text(name) else None

    async def validate(self, user_id, credentials, by, *, update):
        name, _ = self.read(credentials, update)
        row = await self.credentials.get(self.name, name) if name else None
        if row and row["userId"] != user_id:
            raise errors.SubjectTaken(subject=name)

    async def create(self, user_id, credentials, by):
        name, phrase = self.read(credentials, False)
        await self.credentials.link(self.name, name, user_id, {"hash": await asyncio.to_thread(hashed, phrase)})
        return {"name": name}

    async def update(self, user_id, credentials, by):
        name, phrase = self.read(credentials, True)
        changes = {"hash": await asyncio.to_thread(hashed, phrase)} if phrase else {}
        await self.credentials.merge(self.name, user_id, changes, subject=name)
        return await self.info(user_id)

    async def delete(self, user_id, by):
        if not await self.credentials.unlink(self.name, user_id):
            raise errors.NoCredentials(what="user", name=user_id)

    async def exists(self, user_id):
        return await self.credentials.get_of_user(self.name, user_id) is not None

    async def info(self, user_id):
        return {"name": (await self.credentials.find_of_user(self.name, user_id))[0]}

    async def by_id(self, subject):
        row = await self.credentials.get(self.name, subject)
        if row is None:
            raise errors.NoCredentials(what="name", name=subject)
        return {"name": subject, "kuid": row["userId"]}

    def read(self, credentials, update):
        read = [credentials.get("name"), credentials.get("phrase")]
        if not all(is_text(each) or (update and each is None) for each in read):
            raise errors.CredentialsRejected(reason="a name and a phrase of up to 100 characters are needed")
        return read


class PhraseContract(StrategyContract):
    """The input of `Phrase`. `SKIPPED` of each suite says which tests have nothing to test there."""

    Plugin = Phrase
    SKIPPED = frozenset({
        "test_an_answer_works_once",
        "test_a_wrong_answer_uses_up_a_try",
        "test_an_answer_belongs_to_its_login",
        "test_pages_of_its_origins_may_post_answers",
        "test_challenges_can_be_sent",
        "test_an_owner_proves_its_subject",
    })  # fmt: skip

    def make(self, host):
        return self.Plugin(host)

    def credentials(self, number):
        return {"name": f"Name {number}", "phrase": f"Correct-horse-{number}-battery"}

    def wrong(self, body):
        return {**body, "phrase": "wrong-horse-battery"}

    def unknown(self, body):
        return {**body, "name": "Nobody"}

    def changed(self, credentials):
        return {**credentials, "phrase": f"{credentials['phrase']}-changed"}

    def subject(self, credentials):
        return credentials["name"]

    def secrets(self, credentials):
        return [credentials["phrase"]]

    def passing(self):
        return {"other": "things"}

    def redirecting(self):
        return {"name": "elsewhere"}

    def raising(self):
        return {"name": "down"}


class Codes(LoginCheck):
    """Asks users who have codes for one of them. Each works once."""

    name = "codes"

    def __init__(self, host):
        self.storage = host.storage
        self.storage.declare(Collection("codes"))

    async def forget(self, user_id):
        await self.storage.delete("codes", user_id)

    async def give(self, user_id, codes):
        await self.storage.create("codes", user_id, {"left": [self.digest(code) for code in codes]})

    def digest(self, code):
        return hashlib.sha256(code.encode()).hexdigest()

    async def check(self, login):
        if await self.storage.get("codes", login.user.id) is None:
            return Pass()
        return Challenge(reason="A code, please.")

    async def answer(self, login, state):
        code = login.request.fields.get("code")
        if not is_text(code):
            return Fail("wrong code")
        return Accept() if await self.take(login.user.id, self.digest(code)) else Fail("wrong code")

    async def take(self, user_id, digest):
        taken = False

        def change(row):
            nonlocal taken
            taken = digest in row["left"]
            return {"left": [each for each in row["left"] if each != digest]}

        await self.storage.update("codes", user_id, change)
        return taken


class CodesContract(LoginCheckContract):
    """The input of `Codes`."""

    Plugin = Codes
    SKIPPED = frozenset({
        "test_refuses",
        "test_offers_itself",
        "test_does_not_replace_an_alternative",
        "test_is_an_alternative",
    })  # fmt: skip

    def make(self, host):
        return self.Plugin(host)

    async def enroll(self, harness, user_id):
        await harness.check.give(user_id, [self.code(user_id, number) for number in range(20)])

    async def answer(self, harness, user_id, challenge):
        used = self.__dict__.setdefault("used", {})
        used[user_id] = used.get(user_id, -1) + 1
        return {"code": self.code(user_id, used[user_id])}

    def code(self, user_id, number):
        return f"code-{number}-of-{user_id}"


class Listener(Observer):
    """Records every event."""

    def __init__(self, folder):
        self.heard = []

    async def observe(self, event):
        self.heard.append(event.as_dict())


class ListenerContract(ObserverContract):
    """The records of `Listener`."""

    Plugin = Listener
    SKIPPED = frozenset()

    def make(self, host):
        return self.Plugin(host)

    async def heard(self, harness):
        return harness.observer.heard


class TinyContract(StorageContract):
    """The default storage, for a short test."""

    Plugin = TinyStorage
    SKIPPED = frozenset()
    writers, writes = 8, 25

    def make(self, folder):
        return self.Plugin(folder)


class TestPhrase(PhraseContract):
    """The whole suite."""


class TestCodes(CodesContract):
    """The whole suite."""


class TestListener(ListenerContract):
    """The whole suite."""


class TestTiny(TinyContract):
    """The whole suite."""
