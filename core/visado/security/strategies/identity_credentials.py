"""The credentials of strategies and token verifiers that return identities: administrators may name a subject."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import override

from visado import errors
from visado.request import Fields, Request
from visado.security.users.credentials import Credentials
from visado.strategy import Actor, KeepsCredentials, Outcome, Pass

_MAX_SUBJECT_CHARACTERS: Final = 1_024


class SubjectForm(BaseModel):
    """The credentials of a strategy that returns identities."""

    model_config = ConfigDict(extra="forbid")
    subject: str = Field(min_length=1, description="The id of the user at the strategy.")


class IdentityCredentials(KeepsCredentials):
    """Which user has which identity of a strategy. A user links one by a login, an administrator by naming it."""

    credentials_form = SubjectForm
    stored = True

    def __init__(self, name: str, credentials: Credentials) -> None:
        self.name, self._credentials = name, credentials

    @override
    async def authenticate(self, request: Request) -> Outcome:
        return Pass()

    @override
    async def validate(self, user_id: str, credentials: Fields, by: Actor, *, update: bool) -> None:
        subject = self._read(credentials, by)
        owner = await self._credentials.get(self.name, subject)
        if owner is not None and owner["userId"] != user_id:
            raise errors.SubjectTaken(subject=subject)

    @override
    async def create(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        subject = self._read(credentials, by)
        await self._credentials.link(self.name, subject, user_id)
        return {"subject": subject, "kuid": user_id}

    @override
    async def update(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        subject = self._read(credentials, by)
        await self._credentials.merge(self.name, user_id, {}, subject=subject)
        return {"subject": subject, "kuid": user_id}

    @override
    async def delete(self, user_id: str, by: Actor) -> None:
        if not await self._credentials.unlink(self.name, user_id):
            raise errors.NoCredentials(what="user", name=user_id)

    @override
    async def exists(self, user_id: str) -> bool:
        return await self._credentials.get_of_user(self.name, user_id) is not None

    @override
    async def info(self, user_id: str) -> Fields:
        return _public(*await self._credentials.find_of_user(self.name, user_id))

    @override
    async def by_id(self, subject: str) -> Fields:
        stored = await self._credentials.get(self.name, subject)
        if stored is None:
            raise errors.NoCredentials(what="username", name=subject)
        return _public(subject, stored)

    def _read(self, credentials: Fields, by: Actor) -> str:
        """Return the subject that an administrator names. Raises `CredentialsRejected`."""
        if by.must_prove:
            raise errors.CredentialsRejected(reason=f'log in with "{self.name}" by auth:link to link an identity')
        subject = credentials.get("subject")
        if set(credentials) != {"subject"} or not isinstance(subject, str):
            raise errors.CredentialsRejected(reason="the credentials are a subject: a text")
        if not 0 < len(subject) <= _MAX_SUBJECT_CHARACTERS:
            raise errors.CredentialsRejected(reason=f"a subject has 1 to {_MAX_SUBJECT_CHARACTERS} characters")
        return subject


def _public(subject: str, stored: Mapping[str, Any]) -> Fields:
    return {"subject": subject, "kuid": stored["userId"]}
