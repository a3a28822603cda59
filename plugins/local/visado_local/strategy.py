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
    Actor,
    Fail,
    Fields,
    Host,
    KeepsCredentials,
    Outcome,
    Request,
    SecuritySection,
    Settings,
    Success,
    errors,
    events,
)
from visado.search import parse_search
from visado_local.credentials import LoginForm, PasswordCredentials, PasswordForm, read_login
from visado_local.errors import (
    CurrentPasswordRequired,
    CurrentPasswordWrong,
    InvalidResetToken,
    KuidUnexpected,
    MissingNewPassword,
    MissingPassword,
    MissingUsername,
    NothingToChange,
    ResetKuidInvalid,
)
from visado_local.passwords import Passwords
from visado_local.policies import Policies
from visado_local.reset_tokens import ResetClaims, ResetTokens
from visado_local.search import SEARCH_RULES
from visado_local.settings import LocalSection

StoredPassword: TypeAlias = Mapping[str, Any]
"""The password of a user, as the host's credentials hold it under the user name.

    {userId, hash, revision: changes with the password, changedAt (ms), byOwner, former: [hash]}
"""

_METHODS: Final = frozenset({"pwd"})
_WRONG_CREDENTIALS: Final = "wrong username or password"
_log = logging.getLogger("visado.local")


class LocalStrategy(KeepsCredentials):
    """Checks passwords. Their hashes are in the host's credentials, under the user name."""

    name = "local"
    stored = True
    title = "Password"
    login_form = LoginForm
    credentials_form = PasswordForm
    concurrency = 100_000  # no limit here: `Passwords` has its own, and refuses at once

    def __init__(self, settings: Settings, host: Host) -> None:
        section, self._strict = settings[LocalSection], settings[SecuritySection].preset == "strict"
        self._users, self._credentials, self._tokens = host.users, host.credentials, host.tokens
        self._storage, self._events, self._clock = host.storage, host.events, host.clock
        self._passwords = Passwords(section.memory, section.iterations, section.parallelism)
        self._policies = Policies(settings, host, self._passwords)
        self._reset_tokens = ResetTokens(host, section.reset_password_expires_in)
        self._require_password = section.require_password or self._strict
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @override
    async def open(self) -> None:
        await self._reset_tokens.open()

    @override
    async def close(self) -> None:
        self._passwords.close()

    @override
    async def authenticate(self, request: Request) -> Outcome:
        login = read_login(request.fields)
        if login is None:
            return Fail("Missing credentials")
        username, password = login
        stored = await self._credentials.get(self.name, username) if username is not None else None
        if not await self._passwords.verify(stored.get("hash") if stored else None, password) or stored is None:
            return Fail(_WRONG_CREDENTIALS)
        user = await self._users.get(stored["userId"])
        if user is None:
            return Fail(_WRONG_CREDENTIALS)
        refusal = self._policies.refusal(user, stored)
        if refusal is not None:
            raise refusal(await self.reset_token(user.id))
        if password is not None and self._passwords.is_outdated(stored["hash"]):
            await self._rehash(user.id, stored["hash"], password)
        return Success(user.id, methods=_METHODS)

    @override
    def subject(self, request: Request) -> str | None:
        login = read_login(request.fields)
        return None if login is None else login[0]

    @override
    async def validate(self, user_id: str, credentials: Fields, by: Actor, *, update: bool) -> None:
        sent = PasswordCredentials.read(credentials)
        sent.refuse_kuid()
        if sent.username is not None:
            owner = await self._credentials.get(self.name, sent.username)
            if owner is not None and owner["userId"] != user_id:
                raise errors.SubjectTaken(subject=sent.username)
        sent.require(update=update)
        if sent.password is not None:
            subject, stored = await self._credentials.get_of_user(self.name, user_id) or ("", None)
            username = sent.username or subject
            await self._policies.check_password(user_id, username, sent.password, stored)

    @override
    async def create(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        sent = PasswordCredentials.read(credentials)
        if sent.username is None:
            raise MissingUsername
        if sent.password is None:
            raise MissingNewPassword
        if await self.exists(user_id):  # `link` would raise this too, but after a hash was computed
            raise errors.UserLinked(user=user_id)
        fields = await self._password_fields(sent.password, by_owner=by.kind == "owner")
        await self._credentials.link(self.name, sent.username, user_id, fields)
        return {"username": sent.username}

    @override
    async def update(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        sent = PasswordCredentials.read(credentials)
        if sent.has_kuid:
            raise KuidUnexpected
        if sent.username is None and sent.password is None:
            raise NothingToChange
        async with self._lock(user_id):
            subject, stored = await self._credentials.find_of_user(self.name, user_id)
            await self._check_current_password(stored, by)
            fields: Fields = {}
            if sent.password is not None:
                fields = await self._password_fields(sent.password, stored, by_owner=by.kind == "owner")
            await self._write(user_id, fields, subject=sent.username)
        if sent.username is not None and sent.username != subject:
            return {"username": sent.username}
        return {"username": subject, "kuid": user_id}

    @override
    async def delete(self, user_id: str, by: Actor) -> None:
        _, stored = await self._credentials.find_of_user(self.name, user_id)
        await self._check_current_password(stored, by)
        async with self._storage.transaction():
            if not await self._credentials.unlink(self.name, user_id):
                raise errors.NoCredentials(what="user", name=user_id)
            await self._revoke_other_tokens(user_id)

    @override
    async def exists(self, user_id: str) -> bool:
        return await self._credentials.get_of_user(self.name, user_id) is not None

    @override
    async def info(self, user_id: str) -> Fields:
        subject, _ = await self._credentials.find_of_user(self.name, user_id)
        return {"username": subject, "kuid": user_id}

    @override
    async def by_id(self, subject: str) -> Fields:
        stored = await self._credentials.get(self.name, subject)
        if stored is None:
            raise errors.NoCredentials(what="username", name=subject)
        return {"username": subject, "kuid": stored["userId"]}

    @override
    async def search(
        self, query: Fields, *, lang: str = "elasticsearch", sort: Any = None, offset: int = 0, limit: int = 10
    ) -> Fields:
        body = {"query": query, "sort": sort}
        parsed = parse_search(body, lang=lang, offset=offset, limit=limit, rules=SEARCH_RULES)
        page = await self._credentials.search(self.name, parsed)
        hits = [{"username": subject, "kuid": stored["userId"]} for subject, stored in page.hits]
        return {"hits": hits, "total": page.total}

    async def reset_token(self, user_id: str) -> str:
        """Issue a token that replaces the current password of a user. Raises `ResetKuidInvalid`."""
        credentials = await self._credentials.get_of_user(self.name, user_id)
        if credentials is None:
            raise ResetKuidInvalid
        return await self._reset_tokens.issue(ResetClaims(user_id, credentials[1].get("revision", "")))

    async def reset_password(self, token: str, password: str) -> str:
        """Set a password with a reset token, as its owner; return the id of the user.

        Raises `ExpiredResetToken`, `InvalidResetToken`, `InvalidPassword`, and what the policies raise.
        """
        claims = await self._reset_tokens.read(token)
        new = PasswordCredentials.read({"password": password}).password
        if new is None:
            raise MissingPassword
        async with self._lock(claims.user_id):
            credentials = await self._credentials.get_of_user(self.name, claims.user_id)
            if credentials is None or credentials[1].get("revision", "") != claims.revision:
                raise InvalidResetToken
            subject, stored = credentials
            await self._policies.check_password(claims.user_id, subject, new, stored)
            await self._write(claims.user_id, await self._password_fields(new, stored, by_owner=True))
        return claims.user_id

    async def _password_fields(self, password: str, stored: StoredPassword | None = None, *, by_owner: bool) -> Fields:
        """Return the fields of a stored password for a new one."""
        former = [stored["hash"], *stored.get("former", [])] if stored is not None else []
        return {
            "hash": await self._passwords.hash(password),
            "revision": secrets.token_hex(8),
            "changedAt": self._clock(),
            "byOwner": by_owner,
            "former": former[: self._policies.remembered],
        }

    async def _check_current_password(self, stored: StoredPassword, by: Actor) -> None:
        """Require the current password of users who change their own credentials, but not of administrators.

        Raises `CurrentPasswordRequired` or `CurrentPasswordWrong`.
        """
        if not self._require_password or not by.must_prove:
            return
        current = _read_current_password(by.request)
        if current is None or current == "":
            raise CurrentPasswordRequired
        if not isinstance(current, str) or not await self._passwords.verify(stored["hash"], current):
            raise CurrentPasswordWrong

    async def _write(self, user_id: str, fields: Fields, *, subject: str | None = None) -> None:
        async with self._storage.transaction():
            await self._credentials.merge(self.name, user_id, fields, subject=subject)
            self._events.note(events.CredentialsChanged(change="updated", target=user_id, strategy=self.name))
            await self._revoke_other_tokens(user_id)

    async def _revoke_other_tokens(self, user_id: str) -> None:
        """Under the strict preset, revoke every token of the user except the one of the current request."""
        if self._strict:
            await self._tokens.revoke_others(user_id)

    async def _rehash(self, user_id: str, outdated: str, password: str) -> None:
        """Hash a verified password with the current parameters, unless it has changed since."""
        try:
            async with self._lock(user_id):
                credentials = await self._credentials.get_of_user(self.name, user_id)
                if credentials is not None and credentials[1]["hash"] == outdated:
                    fields = {"hash": await self._passwords.hash(password)}
                    await self._credentials.merge(self.name, user_id, fields)
        except errors.VisadoError as error:  # the login succeeds nevertheless
            _log.warning("the password of %r keeps its outdated hash: %s", user_id, error.id)

    def _lock(self, user_id: str) -> asyncio.Lock:
        """Return the lock of a user: hashing takes time between reading and writing the stored password."""
        return self._locks.setdefault(user_id, asyncio.Lock())


def _read_current_password(request: Request | None) -> Any:
    """Return the current password that a client sent, which may be any JSON value; None without one."""
    if request is None:
        return None
    current = request.fields.get("currentPassword")
    if current is None and not request.textual:  # never from a URL: servers log those
        return request.args.get("password")
    return current
