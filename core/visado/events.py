"""Events, and the interface of the observers that receive them.

Owns the events and the interface. Does not own their delivery (`security.observers`). An event contains names and ids,
and never a secret.
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
    """Something that happened in the host.

    `target` is the id of the user or object that it happened to, `strategy` the name of the strategy that it concerns.
    The host fills in the rest from the request: `actor` is the id of its user (None for an anonymous request, and for
    the host itself), `address` the address of the client, `at` the time in UTC. Two events are equal if all members
    but these are equal. Members are texts, numbers, or None.
    """

    name: ClassVar[str]
    """The kind of the event; that of a plugin's event begins with the plugin's name and a dot."""
    outcome: ClassVar[Literal["success", "refused"]] = "success"

    target: str | None = None
    strategy: str | None = None
    actor: str | None = field(default=None, compare=False)
    address: str | None = field(default=None, compare=False)
    request_id: str | None = field(default=None, compare=False)
    at: datetime = field(default_factory=_now, compare=False)

    @property
    def kind(self) -> str:
        """The kind of the event in records: `login.refused`, `user.created`."""
        return self.name

    def as_dict(self) -> dict[str, Any]:
        """Return the event as JSON: `{event, at, outcome, actor, target, strategy, address, requestId, ...}`."""
        common = {
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
        return common | {name: getattr(self, name) for name in own}


_COMMON: Final = frozenset({*(each.name for each in fields(Event)), "change"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSucceeded(Event):
    """A user, the target, logged in and receives a token."""

    name: ClassVar[str] = "login.succeeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRefused(Event):
    """A login was refused; `reason` is the id of the error. The target is the user, or None if unknown."""

    name: ClassVar[str] = "login.refused"
    outcome: ClassVar[Literal["success", "refused"]] = "refused"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginChallenged(Event):
    """The login check `check` challenged a login of the target; None: the strategy did, and the target is unknown."""

    name: ClassVar[str] = "login.challenged"
    outcome: ClassVar[Literal["success", "refused"]] = "refused"
    check: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Impersonated(Event):
    """A user, the actor, acted as another user, the target, and sent a request for the action or the path `action`."""

    name: ClassVar[str] = "impersonated"
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOut(Event):
    """A user, the target, logged out; with `everywhere`, all of the user's tokens were revoked."""

    name: ClassVar[str] = "logout"
    everywhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDenied(Event):
    """A request for an action, the target, was refused because its user has no right to it."""

    name: ClassVar[str] = "access.denied"
    outcome: ClassVar[Literal["success", "refused"]] = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssued(Event):
    """A user, the target, created a further token with `auth:createToken`."""

    name: ClassVar[str] = "token.issued"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefreshed(Event):
    """A user, the target, refreshed its token."""

    name: ClassVar[str] = "token.refreshed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensRevoked(Event):
    """An administrator or a plugin revoked the tokens of a user, the target."""

    name: ClassVar[str] = "tokens.revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(Event):
    """An object was created, updated or deleted, and the change is committed."""

    change: Change

    @property
    def kind(self) -> str:
        """The name and the change: `user.created`."""
        return f"{self.name}.{self.change}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChanged(Changed):
    """A user, the target, was created, updated or deleted."""

    name: ClassVar[str] = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChanged(Changed):
    """A profile, the target, was created, updated or deleted."""

    name: ClassVar[str] = "profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChanged(Changed):
    """A role, the target, was created, updated or deleted."""

    name: ClassVar[str] = "role"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsChanged(Changed):
    """The credentials of a user, the target, in a strategy were created, updated or deleted."""

    name: ClassVar[str] = "credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyChanged(Changed):
    """An API key, the target, of the user `user` was created or deleted."""

    name: ClassVar[str] = "key"
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyChanged(Changed):
    """An administrator added, changed or removed a strategy, the target, while the host runs."""

    name: ClassVar[str] = "strategy"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSwitched(Event):
    """An administrator enabled (`on`) or disabled a plugin, the target, while the host runs."""

    name: ClassVar[str] = "plugin.switched"
    on: bool


class Observer(ABC):
    """Receives events. It cannot grant or change anything.

    Before the host sends a response, it waits until each observer returned, `timeout` seconds at most. Events arrive
    in their order, and several at once. An error that an observer raises is logged only; one that exceeds its timeout
    is skipped for 30 seconds.
    """

    timeout: float = 1.0
    """The time limit of each event, in seconds."""
    essential: bool = False
    """Whether a request fails with 503 `api.process.unobserved` where the observer fails; a login gets no token."""

    async def open(self) -> None:
        """Start threads and connections. The storage is open.

        Raise an error if the observer cannot work: its plugin is then quarantined.
        """
        return

    async def close(self) -> None:
        """Stop threads and close connections. All events were delivered."""
        return

    @abstractmethod
    async def observe(self, event: Event) -> None:
        """Receive an event. The transaction that it belongs to is committed."""

    def problem(self) -> str | None:
        """Return why the observer cannot work at the moment, for the operator, or None. Called often: do not wait."""
        return None
