"""The event of a refused login."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from visado import errors, events
from visado.security.observers import Observers


@contextmanager
def refusals(observers: Observers, strategy: str | None, user_id: str | None = None) -> Generator[None, None, None]:
    """Tell the observers of an error in the block: a login with this strategy, of this user, was refused."""
    try:
        yield
    except errors.LoginChallenged:
        raise
    except errors.VisadoError as error:
        observers.note(events.LoginRefused(target=user_id, strategy=strategy, reason=error.id))
        raise
