"""A plugin whose kind `word` makes strategies, and the actions that add them to a host."""

from __future__ import annotations

SECRET = "xyzzy-canary"


CONFIG = "[limits]\nlogins_per_second = 100\n"  # a socket may log in once a second otherwise


KIND = """
import asyncio, logging, pathlib, time
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from visado import Fail, KeepsCredentials, StrategyKind, Success, errors, hookimpl

class Words(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    word: SecretStr
    user: str = "melis"
    tries: int = Field(3, ge=1)
    timeout: float = 2.0
    opens: float = 0
    open_gate: str = ""
    login_gate: str = ""
    nested: dict[str, SecretStr] = {}
    mood: str = ""

class Word(KeepsCredentials):
    def __init__(self, name, settings, credentials):
        self.name, self._settings, self._credentials = name, settings, credentials
        self.timeout = settings.timeout

    async def _pass(self, step, gate):
        # Say which step this is, and wait until the file at its gate exists.
        logging.getLogger("word").warning("%s %s", self.name, step)
        while gate and not pathlib.Path(gate).exists():
            await asyncio.sleep(0.01)  # subject: a strategy that takes as long as the test says

    async def _feel(self, step):
        mood = self._settings.mood
        if mood == step + " raises":
            raise RuntimeError("hidden-cause")
        if mood == step + " refuses":
            raise errors.CredentialsRejected(reason="it is out of order")
        if mood == step + " hangs":
            await asyncio.Event().wait()
        if mood == step + " blocks":
            time.sleep(60)  # subject: a strategy that blocks the event loop

    async def open(self):
        await asyncio.sleep(self._settings.opens)  # subject: a strategy that opens slowly
        await self._pass("opens", self._settings.open_gate)
        await self._feel("open")

    async def check(self):
        await self._feel("check")

    async def close(self):
        logging.getLogger("word").warning("%s is closed", self.name)
        await self._feel("close")

    async def authenticate(self, request):
        await self._pass("logs in", self._settings.login_gate)
        right = request.fields.get("word") == self._settings.word.get_secret_value()
        return Success(self._settings.user) if right else Fail("not this word")

    async def validate(self, user_id, credentials, by, *, update): pass

    async def create(self, user_id, credentials, by):
        await self._credentials.link(self.name, credentials["subject"], user_id)
        return {}

    async def update(self, user_id, credentials, by): return {}

    async def delete(self, user_id, by): await self._credentials.unlink(self.name, user_id)

    async def exists(self, user_id): return await self._credentials.get_of_user(self.name, user_id) is not None

    async def info(self, user_id): return {"subject": (await self._credentials.find_of_user(self.name, user_id))[0]}

class Kind(StrategyKind):
    name, settings = "word", Words

    def __init__(self, credentials):
        self._credentials = credentials

    def make(self, name, settings):
        if settings.mood == "make raises":
            raise RuntimeError("hidden-cause")
        if settings.mood == "make blocks":
            time.sleep(60)  # subject: a kind that blocks the event loop
        if settings.mood == "nonsense":
            return 42
        made = Word("another" if settings.mood == "misnamed" else name, settings, self._credentials)
        if settings.mood == "limitless":
            made.concurrency = 0
        return made

@hookimpl
def register_strategy_kinds(host):
    return [Kind(host.credentials)]
"""


def create(host, name, token=None, **settings):
    body = {"kind": "word", "settings": {"word": SECRET, **settings}}
    return host.query("security:createStrategy", strategy=name, body=body, token=token)


def login(host, name, word=SECRET):
    return host.query("auth:login", strategy=name, body={"word": word})


def get(host, name, token=None):
    return host.query("security:getStrategy", strategy=name, token=token)


def update(host, name, token=None, **changes):
    return host.query("security:updateStrategy", strategy=name, body=changes, token=token)


def remove(host, name, token=None):
    return host.query("security:deleteStrategy", strategy=name, token=token)
