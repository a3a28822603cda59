"""The strategy `htpasswd`."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from pydantic import BaseModel
from visado import (
    Actor,
    Fail,
    Fields,
    Host,
    KeepsCredentials,
    Outcome,
    Pass,
    Request,
    Success,
    errors,
)

from visado_htpasswd.basic import read_login, read_name, read_password
from visado_htpasswd.entries import Entries, HtpasswdFile
from visado_htpasswd.errors import (
    FileUnreadable,
    InvalidName,
    PasswordRequired,
    PasswordWrong,
    Uncreatable,
    UnknownName,
)
from visado_htpasswd.settings import HtpasswdSection

_WRONG = Fail("wrong username or password")
READ_INTERVAL_SECONDS = 5.0  # so that `problem` is up to date without any login
MAX_LISTED_PROBLEMS = 5

log = logging.getLogger(__name__)


class LoginForm(BaseModel):
    """A user name and its password, as the file has them."""

    username: str
    password: str | None = None


class HtpasswdStrategy(KeepsCredentials):
    """Checks passwords against a file. The host stores the name of each user, but no password and no hash."""

    name = "htpasswd"
    login_form = credentials_form = LoginForm
    concurrency = 8
    stored = True

    def __init__(self, section: HtpasswdSection, host: Host) -> None:
        self._section = section
        self._users, self._credentials, self._storage = host.users, host.credentials, host.storage
        self._file = None if section.file is None else HtpasswdFile(section.file)
        self._problem: str | None = None if self._file else "[htpasswd] file is not set"
        self._watch: asyncio.Task[None] | None = None

    async def open(self) -> None:
        if self._file is None:
            log.warning("%s", self._problem)
        else:
            await self._read_file()
            self._watch = asyncio.create_task(self._read_regularly())

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch

    def problem(self) -> str | None:
        return self._problem

    async def check(self) -> None:
        await self._entries()

    async def authenticate(self, request: Request) -> Outcome:
        sent = read_login(request)
        if sent is None:
            return Pass()
        name, password = read_name(sent[0]), read_password(sent[1])
        if name is None or password is None:
            return _WRONG
        if not await self._verify(name, password):
            return _WRONG
        row = await self._credentials.get(self.name, name)
        if row is not None:
            return Success(row["userId"])
        if not self._section.auto_create:
            log.warning("the name %r belongs to no user, and auto_create is off", name)
            return _WRONG
        return Success(await self._create_user(name))

    def subject(self, request: Request) -> str | None:
        sent = read_login(request)
        return None if sent is None else read_name(sent[0])

    async def validate(self, user_id: str, credentials: Fields, by: Actor, *, update: bool) -> None:  # noqa: ARG002  # both send all fields
        name = await self._read_name(credentials, by)
        owner = await self._credentials.get(self.name, name)
        if owner is not None and owner["userId"] != user_id:
            raise errors.SubjectTaken(subject=name)

    async def create(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        name = await self._read_name(credentials, by)
        await self._credentials.link(self.name, name, user_id)
        return {"username": name}

    async def update(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        name = await self._read_name(credentials, by)
        await self._credentials.merge(self.name, user_id, {}, subject=name)
        return {"username": name}

    async def delete(self, user_id: str, by: Actor) -> None:  # noqa: ARG002
        if not await self._credentials.unlink(self.name, user_id):
            raise errors.NoCredentials(what="user", name=user_id)

    async def exists(self, user_id: str) -> bool:
        return await self._credentials.get_of_user(self.name, user_id) is not None

    async def info(self, user_id: str) -> Fields:
        name, _ = await self._credentials.find_of_user(self.name, user_id)
        return {"username": name}

    async def by_id(self, subject: str) -> Fields:
        row = await self._credentials.get(self.name, subject)
        if row is None:
            raise errors.NoCredentials(what="username", name=subject)
        return {"username": subject, "kuid": row["userId"]}

    async def _create_user(self, name: str) -> str:
        """Create the user of a first login. Of several first logins at the same time one creates the user."""
        try:
            async with self._storage.transaction():
                user = await self._users.create({"profileIds": list(self._section.profiles)})
                await self._credentials.link(self.name, name, user.id)
        except errors.ProfileNotFound as error:
            log.error("[htpasswd] profiles: %s", error)  # noqa: TRY400  # the operator needs no traceback
            raise Uncreatable from None
        except errors.SubjectTaken:
            row = await self._credentials.get(self.name, name)
            if row is None:  # the other login's user was deleted since
                raise
            return str(row["userId"])
        return user.id

    async def _read_name(self, credentials: Fields, by: Actor) -> str:
        """Return the name to link. An administrator sends a name; other users must send its password too."""
        name = read_name(credentials.get("username"))
        if name is None:
            raise InvalidName
        if "password" in credentials:
            password = read_password(credentials["password"])
            if password is None or not await self._verify(name, password):
                raise PasswordWrong
        elif by.must_prove:
            raise PasswordRequired
        elif name not in (await self._entries()).hashes:
            raise UnknownName
        return name

    async def _verify(self, name: str, password: bytes) -> bool:
        entries = await self._entries()
        return await asyncio.to_thread(entries.verify, name, password)

    async def _entries(self) -> Entries:
        if self._file is None:
            raise FileUnreadable
        try:
            entries = await asyncio.to_thread(self._file.read)
        except OSError as error:
            self._report(f"{self._section.file}: {error.strerror or error}")
            raise FileUnreadable from None
        self._report(_summary(entries.problems, f"{self._section.file}"))
        return entries

    async def _read_file(self) -> None:
        with suppress(FileUnreadable):
            await self._entries()

    async def _read_regularly(self) -> None:
        while True:
            await asyncio.sleep(READ_INTERVAL_SECONDS)
            await self._read_file()

    def _report(self, problem: str | None) -> None:
        if problem != self._problem and problem is not None:
            log.warning("%s", problem)
        self._problem = problem


def _summary(problems: tuple[str, ...], path: str) -> str | None:
    if not problems:
        return None
    more = f"; and {len(problems) - MAX_LISTED_PROBLEMS} more" if len(problems) > MAX_LISTED_PROBLEMS else ""
    return f"{path}: refused: {'; '.join(problems[:MAX_LISTED_PROBLEMS])}{more}"
