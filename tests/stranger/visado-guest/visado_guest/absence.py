"""Guests who stay away are deleted."""

import asyncio
import logging

from visado import Host, Query
from visado.storage.query import Range

from visado_guest.settings import GuestSection

_log = logging.getLogger(__name__)


class Absence:
    """Deletes absent guests regularly.

    Who has credentials of another strategy is no guest any more, and stays. While the plugin of that strategy is
    disabled, the host does not count them: delete the credentials `guest` of such a user (security:deleteCredentials).
    """

    def __init__(self, host: Host, strategy: str, section: GuestSection) -> None:
        self._host, self._strategy, self._section = host, strategy, section

    def start(self) -> None:
        """Begin to look for absent guests."""
        self._task = asyncio.create_task(self._look())

    def stop(self) -> None:
        """Look for them no longer."""
        self._task.cancel()

    async def delete(self) -> None:
        """Delete who is absent now."""
        absent = Range("seen", lt=self._host.clock() - self._section.stay)
        for _, row in (await self._host.credentials.search(self._strategy, Query(absent))).hits:
            try:
                user = await self._host.users.get(row["userId"])
                if user is not None and await self._host.users.strategies(user) == [self._strategy]:
                    await self._host.users.delete(user.id)
            except Exception:  # the other guests are deleted nevertheless
                _log.exception("the guest %s was not deleted", row["userId"])

    async def _look(self) -> None:
        while True:
            await self.delete()
            await asyncio.sleep(self._section.interval)
