"""What happened, as observers are told it: typed events, each told once.

Owns the events and the interface of an observer. Does not own who is told, nor when (`security.observers`).
An event holds names and ids, and never a secret.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Literal, TypeAlias

Change: TypeAlias = Literal["created", "updated", "deleted"]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    `target` is the id of whom or what it happened to, `strategy` the name of a strategy that has to do with it.
    The host fills in the rest from the request: `actor` is the id of the user who asked (None: nobody who has logged
    in, or the host itself), `address` where the request came from, `at` when, in UTC.
    Two events are equal if they say the same, whoever asked and whenever. Members are texts, numbers, or None.
    """

    name: ClassVar[str]
    """The kind of the event: a plugin's own begins with the plugin's name."""
    outcome: ClassVar[Literal["success", "refused"]] = "success"

    target: str | None = None
    strategy: str | None = None
    actor: str | None = field(default=None, compare=False)
    address: str | None = field(default=None, compare=False)
    request_id: str | None = field(default=None, compare=False)
    at: datetime = field(default_factory=_now, compare=False)

    @property
    def kind(self) -> str:
        """What happened, as records name it: `login.refused`, `user.created`."""
        return self.name

    def as_dict(self) -> dict[str, Any]:
        """Show the event as JSON: `{event, at, outcome, actor, target, strategy, address, requestId, ...}`."""
        shown = {
            "event": self.kind,
            "at": self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "outcome": self.outcome,
            "actor": self.actor,
            "target": self.target,
            "strategy": self.strategy,
            "address": self.address,
            "requestId": self.request_id,
        }
        own = (each.name for each in fields(self) if each.name not in _COMMON)
        return shown | {name: getattr(self, name) for name in own}


_COMMON: Final = frozenset({*(each.name for each in fields(Event)), "change"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSucceeded(Event):
    """A user, the target, logged in and gets a token."""

    name: ClassVar[str] = "login.succeeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRefused(Event):
    """A login was refused; `reason` is the id of the error. The target is the user, where it was known by then."""

    name: ClassVar[str] = "login.refused"
    outcome: ClassVar[Literal["success", "refused"]] = "refused"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginChallenged(Event):
    """A login check, named in `check`, asked for more before the target gets a token."""

    name: ClassVar[str] = "login.challenged"
    outcome: ClassVar[Literal["success", "refused"]] = "refused"
    check: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOut(Event):
    """A user, the target, logged out; `everywhere` if all of its tokens ended."""

    name: ClassVar[str] = "logout"
    everywhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDenied(Event):
    """Somebody asked for an action, the target, without the right to it."""

    name: ClassVar[str] = "access.denied"
    outcome: ClassVar[Literal["success", "refused"]] = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssued(Event):
    """A user, the target, made another token with the one it has."""

    name: ClassVar[str] = "token.issued"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefreshed(Event):
    """A user, the target, exchanged its token for a new one."""

    name: ClassVar[str] = "token.refreshed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensRevoked(Event):
    """All tokens of a user, the target, were ended by an administrator or by a plugin."""

    name: ClassVar[str] = "tokens.revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(Event):
    """Something was created, updated or deleted, and is so for good."""

    change: Change

    @property
    def kind(self) -> str:
        """What happened: the subject and the change."""
        return f"{self.name}.{self.change}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChanged(Changed):
    """A user."""

    name: ClassVar[str] = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChanged(Changed):
    """A profile."""

    name: ClassVar[str] = "profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChanged(Changed):
    """A role."""

    name: ClassVar[str] = "role"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsChanged(Changed):
    """The credentials that a user, the target, has in a strategy."""

    name: ClassVar[str] = "credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyChanged(Changed):
    """An API key, the target, of a user."""

    name: ClassVar[str] = "key"
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyChanged(Changed):
    """A strategy, the target, that an administrator added, changed or removed while the host runs."""

    name: ClassVar[str] = "strategy"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSwitched(Event):
    """A plugin, the target, was switched on or off while the host runs."""

    name: ClassVar[str] = "plugin.switched"
    on: bool


class Observer(ABC):
    """Told what happened, and never asked: it can grant nothing.

    The host waits for it before it answers, `timeout` seconds at most, so be quick. It is told of events in their
    order, and of the next before it is done with the one before. What it raises is logged, and goes no further; one
    that is too slow is left out for a while. An observer that is `essential` is different: where it fails, the answer
    is an error (503 `api.process.unobserved`), and a login gets no token.
    """

    timeout: float = 1.0
    essential: bool = False

    async def open(self) -> None:
        """Begin: the storage is open. Raise where there is no way to work."""
        return

    async def close(self) -> None:
        """End: everything that will be told has been."""
        return

    @abstractmethod
    async def observe(self, event: Event) -> None:
        """Hear of an event. What a transaction changes is told once it is committed."""

    def problem(self) -> str | None:
        """Why it cannot work at present, for the operator; None where it can."""
        return None
