"""Directories as strategies: log in with the name and the password that one knows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from typing_extensions import override

from visado import Fail, Fields, Host, Outcome, Query, Request, Strategy, Success, current_request, errors
from visado.storage.query import Equals, Or
from visado_ldap import check
from visado_ldap import credentials as given
from visado_ldap.accounts import Accounts, Row, seen
from visado_ldap.dn import is_below
from visado_ldap.entry import Entry
from visado_ldap.errors import (
    DirectoryRefused,
    DirectoryUnreachable,
    EntryNotFound,
    EntryOutside,
    Invalid,
    ProofWrong,
    Refused,
    Resting,
    Unreachable,
)
from visado_ldap.lookup import Lookup, Person
from visado_ldap.recheck import Recheck
from visado_ldap.search import compile_query
from visado_ldap.settings import Directory
from visado_ldap.wire import SILENT, Deadline

T = TypeVar("T")

WORKERS: Final = 32
_WRONG: Final = "wrong username or password"
_LAST_MOMENT: Final = 0.1
_REST: Final = 4.0
"""Seconds for what is not the directory's part of a login."""
_log = logging.getLogger("visado.ldap")


class LdapStrategy(Strategy):
    """Asks one directory, and keeps which user owns which entry in the host's credentials, under the stable id."""

    fields = ("username", "dn", "bindDN", "searchBase", "searchFilter")
    stored = True

    def __init__(self, name: str, section: Directory, host: Host, *, strict: bool) -> None:
        self.name = name
        self._section, self._strict = section, strict
        self._storage, self._credentials, self._tokens = host.storage, host.credentials, host.tokens
        self._lookup = Lookup(name, section)
        self._accounts = Accounts(name, section, host, self._lookup.groups)
        self.timeout = max(Strategy.timeout, self._lookup.servers.longest + _REST)
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix=f"visado-ldap-{name}")
        self.recheck = Recheck(name, section.refresh_interval, host, self._accounts, self._present)
        self._rechecking: asyncio.Task[None] | None = None

    @override
    async def open(self) -> None:
        """Begin to re-check who is still there. Asks no server yet."""
        if self._section.refresh_interval:
            self._rechecking = asyncio.create_task(self.recheck.run())

    @override
    async def close(self) -> None:
        """Let go of connections and threads."""
        if self._rechecking is not None:
            self._rechecking.cancel()
            await asyncio.gather(self._rechecking, return_exceptions=True)
        self._workers.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._lookup.close)

    @override
    async def check(self) -> None:
        """Go as far as a login would on the first server that works: connect, TLS, bind, find the search base."""
        await self._ask(lambda deadline: check.rehearse(self.name, self._section, deadline))

    @override
    async def authenticate(self, request: Request) -> Outcome:
        asked = given.login_of(request.fields)
        if asked is None:
            return Fail("Missing credentials")
        person = await self._login(*asked)
        user_id = await self._accounts.owner(person) if person is not None else None
        return Success(user_id) if user_id is not None else Fail(_WRONG)

    async def _login(self, username: str | None, password: bytes | None) -> Person | None:
        if username is None or password is None:
            return None
        try:
            return await self._ask(lambda deadline: self._lookup.login(username, password, deadline))
        except Invalid as error:
            _log.info("%s: a login that LDAP cannot say: %s", self.name, error)
            return None

    @override
    async def validate(self, user_id: str, credentials: Fields, *, update: bool) -> None:
        own = _own()
        wanted = given.read(credentials, self._section, own=own)
        if own:  # who guesses at entries is to give a password each time: see `create`
            return
        person = await self._find(wanted)
        await self._check_free(user_id, person)

    @override
    async def create(self, user_id: str, credentials: Fields) -> Fields:
        if await self.exists(user_id):  # `link` says so, too, but after a bind for nothing
            raise errors.UserLinked(user=user_id)
        wanted = given.read(credentials, self._section, own=_own())
        person = await self._find(wanted)
        row = seen(person) | wanted.kept
        await self._credentials.link(self.name, person.subject, user_id, row)
        return _shown(person.subject, {**row, "userId": user_id})

    @override
    async def update(self, user_id: str, credentials: Fields) -> Fields:
        await self._credentials.find_of_user(self.name, user_id)
        wanted = given.read(credentials, self._section, own=_own())
        person = await self._find(wanted)
        fields = seen(person) | wanted.kept | {"gone": False}
        async with self._storage.transaction():
            await self._credentials.update(self.name, user_id, fields, subject=person.subject)
            await self._end_other_tokens(user_id)
        return _shown(*await self._credentials.find_of_user(self.name, user_id))

    @override
    async def delete(self, user_id: str) -> None:
        async with self._storage.transaction():
            if not await self._credentials.unlink(self.name, user_id):
                raise errors.NoCredentials(what="user", name=user_id)
            await self._end_other_tokens(user_id)

    @override
    async def exists(self, user_id: str) -> bool:
        return await self._credentials.get_of_user(self.name, user_id) is not None

    @override
    async def info(self, user_id: str) -> Fields:
        return _shown(*await self._credentials.find_of_user(self.name, user_id))

    @override
    async def by_id(self, subject: str) -> Fields:
        """Find credentials by the entry's stable id, or by its user name or DN where they are one person's."""
        row = await self._credentials.get(self.name, subject)
        if row is not None:
            return _shown(subject, row)
        where = Or((Equals("username", subject), Equals("dn", subject)))
        page = await self._credentials.search(self.name, Query(where, limit=2))
        if len(page.hits) != 1:
            raise errors.NoCredentials(what="username", name=subject)
        return _shown(*page.hits[0])

    @override
    async def search(self, query: Fields, *, sort: Any = None, offset: int = 0, limit: int = 10) -> Fields:
        page = await self._credentials.search(self.name, compile_query(query, sort, offset, limit))
        return {"hits": [_shown(*hit) for hit in page.hits], "total": page.total}

    @override
    async def refresh(self, request: Request) -> Fields:
        """Let a token be refreshed while its entry may still log in."""
        subject, row = await self._credentials.find_of_user(self.name, request.user.id)
        if not await self._present([(subject, row["dn"])]):
            await self._accounts.gone(request.user.id, row)
            raise errors.RefreshForbidden(what=f'A token of the strategy "{self.name}"')
        return {}

    async def _present(self, known: list[tuple[str, str]]) -> list[Person]:
        entries = await self._ask(lambda deadline: self._lookup.present(known, deadline))
        return [await self._describe(entry) for entry in entries]

    async def _describe(self, entry: Entry) -> Person:
        return await self._ask(lambda deadline: self._lookup.describe(entry, deadline))

    async def _find(self, wanted: given.Given) -> Person:
        """Find the entry that credentials name; with a password, bind as it, too."""
        try:
            if wanted.password is not None:
                person = await self._login(wanted.wanted.username, wanted.password) if wanted.wanted.username else None
                if person is None:
                    raise ProofWrong
            else:
                person = await self._ask(lambda deadline: self._lookup.find(wanted.wanted, deadline))
            if not is_below(person.dn, self._section.search_base):
                raise EntryOutside(directory=self.name)
        except Invalid:
            raise EntryNotFound from None
        return person

    async def _check_free(self, user_id: str, person: Person) -> None:
        row = await self._credentials.get(self.name, person.subject)
        if row is not None and row["userId"] != user_id:
            raise errors.SubjectTaken(subject=person.username)

    async def _ask(self, work: Callable[[Deadline], T]) -> T:
        """Ask the directory in a worker thread, within the time-out however many wait for one.

        Raises `DirectoryUnreachable`, `DirectoryRefused`, `Invalid`, and the errors of the account.
        """
        longest = self._lookup.servers.longest
        deadline = Deadline.after(longest)
        try:
            async with asyncio.timeout(longest + _LAST_MOMENT):
                return await asyncio.get_running_loop().run_in_executor(self._workers, work, deadline)
        except (Unreachable, TimeoutError) as error:
            say = _log.debug if isinstance(error, Resting) else _log.warning
            say("%s: the directory cannot be asked: %s", self.name, error or SILENT)
            raise DirectoryUnreachable(directory=self.name) from None
        except Refused as error:
            _log.error("%s: the directory refuses: %s", self.name, error)
            raise DirectoryRefused(directory=self.name) from None

    async def _end_other_tokens(self, user_id: str) -> None:
        """Under the strict preset, a change ends every token but the one that it was made with."""
        if self._strict:
            await self._tokens.revoke_others(user_id)


def _own() -> bool:
    """Whether users ask for themselves: they prove that the entry is theirs, or its groups would be anybody's."""
    request = current_request()
    return request is not None and (request.controller == "auth" or request.action == "createRestrictedUser")


def _shown(subject: str, row: Row) -> Fields:
    shown: Fields = {"id": subject, "kuid": row["userId"]}
    names = ("username", "dn", "bindDN", "searchBase", "searchFilter")
    return shown | {name: row[name] for name in names if row.get(name) is not None}
