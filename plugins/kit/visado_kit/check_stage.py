"""Where login checks are tested: behind a strategy that lets in whoever the test wants."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import pytest
from typing_extensions import override

from visado import errors
from visado.app import Visado
from visado.login_check import LoginCheck
from visado.request import Fields, Request, Response
from visado.strategy import Fail, Outcome, Strategy, Success
from visado_kit.clock import Clock
from visado_kit.stage import ask, create_user, told

_OPEN: Final = "open"
_SERVER_ERROR: Final = 500


class Door(Strategy):
    """Lets in whoever names a user and says the word: what stands before the check under test."""

    name = "door"
    fields = ("user", "word")

    @override
    async def authenticate(self, request: Request) -> Outcome:
        fields = request.fields
        return Success(fields["user"]) if fields.get("word") == _OPEN else Fail()

    @override
    async def exists(self, user_id: str) -> bool:
        return False

    async def _refuse(self, *_: Any, **__: Any) -> Any:
        raise errors.CredentialsRejected(reason="nothing is kept here")

    create = update = delete = validate = info = _refuse


@dataclass(frozen=True, slots=True)
class CheckStage:
    """A login check at work in a host."""

    host: Visado
    check: LoginCheck
    clock: Clock

    async def user(self, number: int = 0) -> str:
        """Make a user, and return its id."""
        return await create_user(self.host, number)

    async def login(self, user_id: str, word: str = _OPEN, **fields: Any) -> Response:
        """Log in as this user, with whatever else stands in the body."""
        return await ask(self.host, "auth:login", {"user": user_id, "word": word, **fields}, strategy=Door.name)

    async def reply(self, reference: Any, answer: Fields) -> Response:
        """Answer a challenge."""
        return await ask(self.host, "auth:login", {**answer, "challenge": reference}, strategy=Door.name)

    async def challenge(self, user_id: str) -> Fields:
        """Log in as this user, who must be challenged; return the challenge as the client sees it."""
        response = await self.login(user_id)
        if not isinstance(response.error, errors.LoginChallenged):
            pytest.fail(f"who is enrolled is challenged at every login: check() led to {seen(response)}")
        return response.error.challenge


def seen(response: Response) -> str:
    """What a client sees of an answer, in a line."""
    return f"the error {response.error.id}" if response.error else f"the result {told(response.reply.result)}"


def accepted(response: Response, user_id: str, mend: str) -> None:
    """Expect a token of this user."""
    result: Any = response.reply.result
    assert response.error is None, f"{mend}; the client saw {seen(response)}"
    assert result["_id"] == user_id, f"{mend}; the token is one of {result['_id']}"
    json.dumps(result)


def refused(response: Response, mend: str) -> None:
    """Expect a refusal that is the client's fault, and no token."""
    assert response.error is not None, f"{mend}; the client got a token"
    assert response.error.status < _SERVER_ERROR, f"{mend}; it ended in {seen(response)}: see the log for the cause"
