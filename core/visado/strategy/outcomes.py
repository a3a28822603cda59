"""The outcomes of a login, after Passport's model, and the identity that a success may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Identity:
    """Who logs in, in the strategy's own words. The host finds the user, links it to a signed-in user, or makes one.

    `subject` is the id that never changes owner: a stable id, and no e-mail address. `profile` holds what the strategy
    knows of the person: `[accounts.<strategy>]` chooses what a new user's content contains, and may require values.
    `kept` are members of the document in the host's credentials. `profiles` are the ids of the profiles that the
    strategy grants now: the host replaces those that it granted before; None changes no profiles.
    """

    subject: str
    profile: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    kept: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    profiles: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class AccountRules:
    """What the host does with an `Identity`. `[accounts.<strategy>]` in the settings replaces each member.

    `auto_create`: whether an identity without a user gets one, with the profiles `profiles`. `content` maps members of
    the new user's content to members of the identity's profile; None copies the whole profile. `require` maps members
    of the profile to the values of which it must have one: otherwise the login fails. The settings do not replace
    `refusal`, the reason that the client sees of an identity that may not log in: give the reason of the strategy's
    `Fail`, so that a client does not learn who proved an identity that has no user.
    """

    auto_create: bool = False
    profiles: tuple[str, ...] = ("default",)
    content: Mapping[str, str] | None = None
    require: Mapping[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])
    refusal: str = "wrong credentials"


@dataclass(frozen=True, slots=True)
class Success:
    """The client proved to be the user `who`: a user's id, or an identity. The host runs the login checks.

    `location`: a browser is redirected there, with the token as a cookie; without it, and on a WebSocket, the result
    contains the token. `methods` are the ways in which the user proved it, as RFC 8176 names them: `pwd`, `hwk`, `mfa`.
    `session` is stored with the token: `request.token.session`. The token ends at `expires_at` at the latest, in ms
    since 1970. `actor` is the id of the user who acts as `who`: it must be the user of the request, no login check is
    asked, and observers are told of each use. `data` are further members of the result. `headers` may be
    `WWW-Authenticate` and `Authentication-Info`. `cookies` are `Set-Cookie` values of the response.
    """

    who: str | Identity
    location: str | None = None
    methods: frozenset[str] = frozenset()
    session: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    expires_at: int | None = None
    actor: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fail:
    """The credentials are wrong: the response is 401 `plugin.strategy.missing_user`.

    The client sees `reason`. `www_authenticate` are values of the header `WWW-Authenticate`: a chain sends those of all
    its members. `cookies` are `Set-Cookie` values of the response.
    """

    reason: str = "wrong credentials"
    www_authenticate: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Redirect:
    """The client continues at another address: the response is 302, or with `post` a page that posts these fields.

    `status` is 300 to 399, or 200 for a client that reads the address from the result; a WebSocket always receives it
    in the result, with `post`. `state` is stored under `request.reference`, which the other address sends back: the
    request that brings it goes to `answer`, once, within `lifetime` seconds. It must come from the same browser (a
    cookie) or the same WebSocket, unless `same_client` is False: the strategy then proves that by itself. `data` are
    further members of the result. `cookies` are `Set-Cookie` values of the response.
    """

    location: str
    post: Mapping[str, str] | None = None
    state: Mapping[str, Any] | None = field(default=None, repr=False)
    lifetime: float = 600.0
    same_client: bool = True
    status: int = 302
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Challenge:
    """The client needs one more step: the response is 401 `security.login.challenged`, with a reference to answer with.

    The client sees `reason` and `data`. `state` is stored for `answer` and never sent. The reference works for
    `lifetime` seconds, at most an hour, and for one answer; with `tries`, for that many answers until one is accepted.
    `enrols`: a login check offers to set up what the user lacks; the offer counts only where no other check of the same
    factor challenges. `www_authenticate` are values of the header of that name. `cookies` are `Set-Cookie` values.
    """

    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    state: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    reason: str = "One more step is needed."
    lifetime: float = 300.0
    tries: int = 1
    enrols: bool = False
    www_authenticate: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pass:
    """The request has no credentials for this strategy: in a chain, the next member is tried; else the login fails.

    With `to`, the host asks the strategy of this name instead, within that strategy's limits.
    """

    to: str | None = None


Outcome: TypeAlias = Success | Fail | Redirect | Challenge | Pass
