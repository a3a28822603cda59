"""A directory as a strategy: logins with a user name and a password, and the credentials of their users."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from typing_extensions import override

from visado import (
    AccountRules,
    Actor,
    Fail,
    Fields,
    Host,
    Identity,
    KeepsCredentials,
    Outcome,
    Query,
    Request,
    Strategy,
    Success,
    errors,
)
from visado.search import parse_search
from visado.storage.query import Equals, Or
from visado_ldap import diagnosis
from visado_ldap.credentials import (
    EntryCredentials,
    EntryForm,
    LoginForm,
    fold_username,
    public_fields,
    read_credentials,
    read_login,
    read_username,
)
from visado_ldap.errors import (
    AllServersPaused,
    DirectoryRefused,
    DirectoryUnreachable,
    EntryNotFound,
    EntryOutside,
    InvalidValue,
    ServerRefused,
    ServerUnreachable,
    WrongPassword,
)
from visado_ldap.lookup.directory_lookup import DirectoryLookup
from visado_ldap.lookup.persons import Person
from visado_ldap.protocol.distinguished_names import is_below
from visado_ldap.protocol.entries import Entry
from visado_ldap.protocol.sockets import NO_RESPONSE, Deadline
from visado_ldap.recheck import Recheck
from visado_ldap.search import SEARCH_RULES
from visado_ldap.settings import DirectorySettings

T = TypeVar("T")

MAX_WORKERS: Final = 32
_WRONG_LOGIN: Final = "wrong username or password"
_METHODS: Final = frozenset({"pwd"})
_THREAD_OVERRUN_SECONDS: Final = 0.1
"""How long a worker thread may exceed its deadline before the request stops waiting for it."""
_LOCAL_SECONDS: Final = 4.0
"""The seconds of a login that visado needs besides the directory."""
_log = logging.getLogger("visado.ldap")


class LdapStrategy(KeepsCredentials):
    """Asks one directory. The host's credentials store which user has which entry, under the entry's stable id."""

    login_form = LoginForm
    credentials_form = EntryForm
    stored = True

    def __init__(self, name: str, settings: DirectorySettings, host: Host, *, strict: bool) -> None:
        self.name, self.title, self.icon, self.listed = name, settings.title, settings.icon, settings.listed
        self._settings, self._strict = settings, strict
        self._storage, self._credentials, self._tokens = host.storage, host.credentials, host.tokens
        self._lookup = DirectoryLookup(name, settings, host.clock)
        self.accounts = AccountRules(settings.auto_create, tuple(settings.default_profiles), refusal=_WRONG_LOGIN)
        self.timeout = max(Strategy.timeout, self._lookup.servers.max_seconds + _LOCAL_SECONDS)
        self._workers = ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix=f"visado-ldap-{name}")
        self.recheck = Recheck(name, settings.refresh_interval, self.accounts, host, self._find_permitted)
        self._rechecking: asyncio.Task[None] | None = None

    @override
    async def open(self) -> None:
        """Start the re-checks. No server is asked yet."""
        if self._settings.refresh_interval:
            self._rechecking = asyncio.create_task(self.recheck.run())

    @override
    async def close(self) -> None:
        """Stop the re-checks, and close threads and connections."""
        if self._rechecking is not None:
            self._rechecking.cancel()
            await asyncio.gather(self._rechecking, return_exceptions=True)
        self._workers.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._lookup.close)

    @override
    async def check(self) -> None:
        """Try the steps of a login on the first server that works: connect, TLS, bind, read the search base."""
        await self._ask(lambda deadline: diagnosis.rehearse(self.name, self._settings, deadline))

    @override
    async def authenticate(self, request: Request) -> Outcome:
        login = read_login(request.fields)
        if login is None:
            return Fail("Missing credentials")
        person = await self._log_in(*login)
        return Success(self._identity(person), methods=_METHODS) if person is not None else Fail(_WRONG_LOGIN)

    @override
    def subject(self, request: Request) -> str | None:
        username = read_username(request.fields.get("username"))
        return fold_username(username) if username is not None else None

    async def _log_in(self, username: str | None, password: bytes | None) -> Person | None:
        if username is None or password is None:
            return None
        try:
            return await self._ask(lambda deadline: self._lookup.log_in(username, password, deadline))
        except InvalidValue as error:
            _log.info("%s: a login cannot be expressed in LDAP: %s", self.name, error)
            return None

    @override
    async def validate(self, user_id: str, credentials: Fields, by: Actor, *, update: bool) -> None:
        needs_proof = by.must_prove
        given = read_credentials(credentials, self._settings, needs_proof=needs_proof)
        if needs_proof:  # `create` checks the password; here it would tell which entries exist
            return
        person = await self._find(given)
        await self._check_not_taken(user_id, person)

    @override
    async def create(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        if await self.exists(user_id):  # `link` would raise it too, but only after a bind
            raise errors.UserLinked(user=user_id)
        given = read_credentials(credentials, self._settings, needs_proof=by.must_prove)
        person = await self._find(given)
        fields = person.kept | given.stored
        await self._credentials.link(self.name, person.subject, user_id, fields)
        return public_fields(person.subject, {**fields, "userId": user_id})

    @override
    async def update(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        await self._credentials.find_of_user(self.name, user_id)
        given = read_credentials(credentials, self._settings, needs_proof=by.must_prove)
        person = await self._find(given)
        fields = person.kept | given.stored
        async with self._storage.transaction():
            await self._credentials.merge(self.name, user_id, fields, subject=person.subject)
            await self._revoke_other_tokens(user_id)
        return public_fields(*await self._credentials.find_of_user(self.name, user_id))

    @override
    async def delete(self, user_id: str, by: Actor) -> None:
        async with self._storage.transaction():
            if not await self._credentials.unlink(self.name, user_id):
                raise errors.NoCredentials(what="user", name=user_id)
            await self._revoke_other_tokens(user_id)

    @override
    async def exists(self, user_id: str) -> bool:
        return await self._credentials.get_of_user(self.name, user_id) is not None

    @override
    async def info(self, user_id: str) -> Fields:
        return public_fields(*await self._credentials.find_of_user(self.name, user_id))

    @override
    async def by_id(self, subject: str) -> Fields:
        """Return the credentials with this stable id, or the only ones with this user name or DN."""
        stored = await self._credentials.get(self.name, subject)
        if stored is not None:
            return public_fields(subject, stored)
        where = Or((Equals("username", subject), Equals("dn", subject)))
        page = await self._credentials.search(self.name, Query(where, limit=2))
        if len(page.hits) != 1:
            raise errors.NoCredentials(what="username", name=subject)
        return public_fields(*page.hits[0])

    @override
    async def search(
        self, query: Fields, *, lang: str = "elasticsearch", sort: Any = None, offset: int = 0, limit: int = 10
    ) -> Fields:
        body = {"query": query, "sort": sort}
        asked = parse_search(body, lang=lang, offset=offset, limit=limit, rules=SEARCH_RULES)
        page = await self._credentials.search(self.name, asked)
        return {"hits": [public_fields(*hit) for hit in page.hits], "total": page.total}

    @override
    async def refresh(self, request: Request, session: Fields) -> Fields:
        """Allow a token to be refreshed while its entry may still log in."""
        subject, stored = await self._credentials.find_of_user(self.name, request.user.id)
        identities = await self._find_permitted([(subject, stored["dn"])])
        if not await self.recheck.apply(stored, identities[0] if identities else None):
            raise errors.RefreshForbidden(what=f'A token of the strategy "{self.name}"')
        return {}

    async def _find_permitted(self, known: list[tuple[str, str]]) -> list[Identity]:
        entries = await self._ask(lambda deadline: self._lookup.permitted(known, deadline))
        return [self._identity(await self._describe(entry)) for entry in entries]

    async def _describe(self, entry: Entry) -> Person:
        return await self._ask(lambda deadline: self._lookup.describe(entry, deadline))

    def _identity(self, person: Person) -> Identity:
        return person.identity(self._lookup.groups.profiles(person.groups))

    async def _find(self, given: EntryCredentials) -> Person:
        """Return the person that credentials name; where they hold a password, after a login with it."""
        username, password = given.query.username, given.password
        try:
            if password is not None:
                person = await self._log_in(username, password) if username else None
                if person is None:
                    raise WrongPassword
            else:
                person = await self._ask(lambda deadline: self._lookup.find(given.query, deadline))
            if not is_below(person.dn, self._settings.search_base):
                raise EntryOutside(directory=self.name)
        except InvalidValue:
            raise EntryNotFound from None
        return person

    async def _check_not_taken(self, user_id: str, person: Person) -> None:
        stored = await self._credentials.get(self.name, person.subject)
        if stored is not None and stored["userId"] != user_id:
            raise errors.SubjectTaken(subject=person.username)

    async def _ask(self, work: Callable[[Deadline], T]) -> T:
        """Run `work` in a worker thread; the time-out includes the wait for a free thread.

        Raises `DirectoryUnreachable`, `DirectoryRefused`, `InvalidValue`, and the errors of the account.
        """
        seconds = self._lookup.servers.max_seconds
        deadline = Deadline.after(seconds)
        try:
            async with asyncio.timeout(seconds + _THREAD_OVERRUN_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._workers, work, deadline)
        except (ServerUnreachable, TimeoutError) as error:
            write = _log.debug if isinstance(error, AllServersPaused) else _log.warning
            write("%s: the directory cannot be reached: %s", self.name, error or NO_RESPONSE)
            raise DirectoryUnreachable(directory=self.name) from None
        except ServerRefused as error:
            _log.error("%s: the directory refuses the request: %s", self.name, error)
            raise DirectoryRefused(directory=self.name) from None

    async def _revoke_other_tokens(self, user_id: str) -> None:
        """Under the strict preset, revoke every token of the user but the one of the current request."""
        if self._strict:
            await self._tokens.revoke_others(user_id)
