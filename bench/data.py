"""What the measured hosts hold: users with a password and a token each, and an administrator. Made through the host."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from visado import app
from visado.app import Visado
from visado.strategy import Actor

PASSWORD = "a long enough password"
DAY = 86_400_000
AT_ONCE = 100
UNREACHED = 1_000_000


@dataclass(frozen=True)
class Data:
    """A data folder, and the tokens that are alive in it: one for each of `user-0`, `user-1`..."""

    folder: Path
    tokens: list[str]
    admin: str

    def copy(self, to: Path) -> Path:
        """Copy the folder: a host changes what it serves."""
        shutil.copytree(self.folder, to)
        return to


def make(folder: Path, users: int) -> Data:
    """Fill a folder, closed for strangers as an operator would leave it."""
    return asyncio.run(_make(folder, users))


async def _make(folder: Path, users: int) -> Data:
    host = app.create_app({"server": {"data": str(folder)}})
    await host.open()
    try:
        admin = await host.security.accounts.create(
            {"profileIds": ["admin"]}, {"local": {"username": "admin", "password": PASSWORD}}, Actor("host"), "admin"
        )
        await host.security.roles.restrict()
        for name in ("default", "anonymous"):  # limits that count, and that nobody reaches
            await host.security.profiles.replace(name, {"policies": [{"roleId": name}], "rateLimit": UNREACHED})
        _, row = await host.security.credentials.find_of_user("local", admin.id)  # the hash that all share: it is dear
        hashed = {name: value for name, value in row.items() if name != "userId"}
        tokens: list[str] = []
        for begin in range(0, users, AT_ONCE):  # writes that wait together are committed together
            names = [f"user-{number}" for number in range(begin, min(begin + AT_ONCE, users))]
            tokens += await asyncio.gather(*(_add(host, name, hashed) for name in names))
        return Data(folder, tokens, (await host.security.tokens.create(admin.id, DAY)).text)
    finally:
        await host.close()


async def _add(host: Visado, name: str, hashed: dict[str, object]) -> str:
    await host.security.users.create({"profileIds": ["default"]}, name)
    await host.security.credentials.link("local", name, name, hashed)
    return (await host.security.tokens.create(name, DAY)).text
