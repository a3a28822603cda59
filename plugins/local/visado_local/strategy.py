"""The strategy `local`: a user name and a password."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from typing import Any, Final, TypeAlias
from weakref import WeakValueDictionary

from typing_extensions import override

from visado import (
    Fail,
    Fields,
    Host,
    Outcome,
    Request,
    Strategy,
    Success,
    current_request,
    errors,
    events,
)
from visado.search import parse_search
from visado_local.credentials import Given
from visado_local.errors import (
    CurrentPasswordRequired,
    CurrentPasswordWrong,
    InvalidResetToken,
    KuidUnexpected,
    NothingToChange,
    PasswordNeeded,
    PasswordRequired,
    ResetKuidInvalid,
    UsernameRequired,
)
from visado_local.passwords import Passwords
from visado_local.policies import Policies
from visado_local.reset_tokens import Claims, ResetTokens
from visado_local.search import SEARCH_RULES
from visado_local.settings import LocalSection

Row: TypeAlias = Mapping[str, Any]
"""`{userId, hash, revision, changedAt, byOwner, former}`: see `_fields`."""

_WRONG: Final = "wrong username or password"
_log = logging.getLogger("visado.local")


class LocalStrategy(Strategy):
    """Checks passwords, and keeps their hashes in the host's credentials, under the user name."""

    name = "local"
    stored = True
    fields = ("username", "password")
    concurrency = 100_000  # the pool of `Passwords` is the limit: it refuses at once

    def __init__(self, section: LocalSection, host: Host, *, strict: bool) -> None:
        self._users, self._credentials, self._tokens = host.users, host.credentials, host.tokens
        self._storage, self._clock, self._strict, self._events = host.storage, host.clock, strict, host.events
        self._passwords = Passwords(section.memory, section.iterations, section.parallelism)
        self._policies = Policies(section, host.users, self._passwords, strict=strict)
        self._reset_tokens = ResetTokens(host.storage, section.reset_password_expires_in)
        self._require_password = section.require_password or strict
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @override
    async def open(self) -> None:
        await self._reset_tokens.prepare()

    @override
    async def close(self) -> None:
        self._passwords.close()

    @override
    async def authenticate(self, request: Request) -> Outcome:
        given = Given.login(request.fields)
        if given is None:
            return Fail("Missing credentials")
        username, password = given
        row = await self._credentials.get(self.name, username) if username is not None else None
        if not await self._passwords.verify(row.get("hash") if row else None, password) or row is None:
            return Fail(_WRONG)
        user = await self._users.get(row["userId"])
        if user is None:
            return Fail(_WRONG)
        refusal = self._policies.refusal(user, row, self._clock())
        if refusal is not None:
            raise refusal(await self.reset_token(user.id))
        if password is not None and self._passwords.outdated(row["hash"]):
            await self._upgrade(user.id, row["hash"], password)
        return Success(user.id)

    @override
    async def validate(self, user_id: str, credentials: Fields, *, update: bool) -> None:
        given = Given.read(credentials)
        given.refuse_kuid()
        if given.username is not None:
            owner = await self._credentials.get(self.name, given.username)
            if owner is not None and owner["userId"] != user_id:
                raise errors.SubjectTaken(subject=given.username)
        given.require(update=update)
        if given.password is not None:
            subject, row = await self._credentials.get_of_user(self.name, user_id) or ("", None)
            username = given.username or subject
            await self._policies.check_content(user_id, username, given.password, row)

    @override
    async def create(self, user_id: str, credentials: Fields) -> Fields:
        given = Given.read(credentials)
        if given.username is None:
            raise UsernameRequired
        if given.password is None:
            raise PasswordNeeded
        if await self.exists(user_id):  # `link` says so, too, but after a hash for nothing
            raise errors.UserLinked(user=user_id)
        fields = await self._fields(given.password, by_owner=_asked_by(user_id))
        await self._credentials.link(self.name, given.username, user_id, fields)
        return {"username": given.username}

    @override
    async def update(self, user_id: str, credentials: Fields) -> Fields:
        given = Given.read(credentials)
        if given.has_kuid:
            raise KuidUnexpected
        if given.username is None and given.password is None:
            raise NothingToChange
        async with self._lock(user_id):
            subject, row = await self._credentials.find_of_user(self.name, user_id)
            await self._check_current(row)
            fields: Fields = {}
            if given.password is not None:
                fields = await self._fields(given.password, row, by_owner=_asked_by(user_id))
            await self._write(user_id, fields, subject=given.username)
        if given.username is not None and given.username != subject:
            return {"username": given.username}
        return {"username": subject, "kuid": user_id}

    @override
    async def delete(self, user_id: str) -> None:
        _, row = await self._credentials.find_of_user(self.name, user_id)
        await self._check_current(row)
        async with self._storage.transaction():
            if not await self._credentials.unlink(self.name, user_id):
                raise errors.NoCredentials(what="user", name=user_id)
            await self._end_other_tokens(user_id)

    @override
    async def exists(self, user_id: str) -> bool:
        return await self._credentials.get_of_user(self.name, user_id) is not None

    @override
    async def info(self, user_id: str) -> Fields:
        subject, _ = await self._credentials.find_of_user(self.name, user_id)
        return {"username": subject, "kuid": user_id}

    @override
    async def by_id(self, subject: str) -> Fields:
        row = await self._credentials.get(self.name, subject)
        if row is None:
            raise errors.NoCredentials(what="username", name=subject)
        return {"username": subject, "kuid": row["userId"]}

    @override
    async def search(
        self, query: Fields, *, lang: str = "elasticsearch", sort: Any = None, offset: int = 0, limit: int = 10
    ) -> Fields:
        body = {"query": query, "sort": sort}
        asked = parse_search(body, lang=lang, offset=offset, limit=limit, rules=SEARCH_RULES)
        page = await self._credentials.search(self.name, asked)
        hits = [{"username": subject, "kuid": row["userId"]} for subject, row in page.hits]
        return {"hits": hits, "total": page.total}

    async def reset_token(self, user_id: str) -> str:
        """Make a token with which the user's present password can be replaced. Raises `ResetKuidInvalid`."""
        found = await self._credentials.get_of_user(self.name, user_id)
        if found is None:
            raise ResetKuidInvalid
        return await self._reset_tokens.issue(Claims(user_id, found[1].get("revision", "")), self._clock())

    async def reset_password(self, token: str, password: str) -> str:
        """Set a password with a reset token, as its owner; return whose it is."""
        claims = await self._reset_tokens.read(token, self._clock())
        new = Given.read({"password": password}).password
        if new is None:
            raise PasswordRequired
        async with self._lock(claims.user_id):
            found = await self._credentials.get_of_user(self.name, claims.user_id)
            if found is None or found[1].get("revision", "") != claims.revision:
                raise InvalidResetToken
            subject, row = found
            await self._policies.check_content(claims.user_id, subject, new, row)
            await self._write(claims.user_id, await self._fields(new, row, by_owner=True))
        return claims.user_id

    async def _fields(self, password: str, row: Row | None = None, *, by_owner: bool) -> Fields:
        """Make the members of a row that a new password changes."""
        former = [row["hash"], *row.get("former", [])] if row is not None else []
        return {
            "hash": await self._passwords.hash(password),
            "revision": secrets.token_hex(8),
            "changedAt": self._clock(),
            "byOwner": by_owner,
            "former": former[: self._policies.remembered],
        }

    async def _check_current(self, row: Row) -> None:
        """Let users who change their own credentials prove that they may; administrators need not."""
        request = current_request()
        if not self._require_password or request is None or request.controller != "auth":
            return
        current = request.fields.get("currentPassword")
        if current is None and not request.textual:  # never from an address: those end up in logs
            current = request.args.get("password")
        if current is None or current == "":
            raise CurrentPasswordRequired
        if not isinstance(current, str) or not await self._passwords.verify(row["hash"], current):
            raise CurrentPasswordWrong

    async def _write(self, user_id: str, fields: Fields, *, subject: str | None = None) -> None:
        async with self._storage.transaction():
            await self._credentials.update(self.name, user_id, fields, subject=subject)
            self._events.note(events.CredentialsChanged(change="updated", target=user_id, strategy=self.name))
            await self._end_other_tokens(user_id)

    async def _end_other_tokens(self, user_id: str) -> None:
        """Under the strict preset, a change ends every token but the one that it was made with."""
        if self._strict:
            await self._tokens.revoke_others(user_id)

    async def _upgrade(self, user_id: str, seen: str, password: str) -> None:
        """Hash the password that was right just now with today's parameters, unless it has changed since."""
        try:
            async with self._lock(user_id):
                found = await self._credentials.get_of_user(self.name, user_id)
                if found is not None and found[1]["hash"] == seen:
                    fields = {"hash": await self._passwords.hash(password)}
                    await self._credentials.update(self.name, user_id, fields)
        except errors.VisadoError as error:  # the login is none the worse for it
            _log.warning("the hash of %r stays as it is for now: %s", user_id, error.id)

    def _lock(self, user_id: str) -> asyncio.Lock:
        """One change of a user's row at a time: between reading and writing there is a hash."""
        return self._locks.setdefault(user_id, asyncio.Lock())


def _asked_by(user_id: str) -> bool:
    request = current_request()
    return request is not None and request.user.id == user_id
