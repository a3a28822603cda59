"""Access: identifies the user of a request by token or API key, and returns the user's rights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from visado import errors
from visado.request import Request, Token, User
from visado.security.rights.profiles import Profiles
from visado.security.rights.rights import Policy, Rights, shared_policies
from visado.security.tokens import api_keys, tokens
from visado.security.tokens.api_keys import ApiKeys
from visado.security.tokens.foreign_tokens import ForeignTokens
from visado.security.tokens.token_verifiers import Credential
from visado.security.tokens.tokens import Tokens
from visado.security.users.users import Users

NATIVE_PREFIXES: Final = (tokens.PREFIX, api_keys.PREFIX)
"""How the texts of the host's own tokens and API keys begin: no verifier is asked for them."""


def _is_none(controller: str, action: str) -> bool:  # noqa: ARG001
    return False


@dataclass(slots=True)
class Access:
    """The users, profiles, tokens, API keys and foreign tokens, for identifying users.

    With `open_bootstrap`, the unrestricted roles of the first start count for every client. With `beyond_actor`, a user
    who acts as another has all rights of the other; otherwise only those that both have. `is_open` returns whether
    every client may call an action of a controller, and `is_personal` whether only the user itself may.
    """

    users: Users
    profiles: Profiles
    tokens: Tokens
    api_keys: ApiKeys
    foreign_tokens: ForeignTokens
    open_bootstrap: bool = False
    beyond_actor: bool = False
    is_open: Callable[[str, str], bool] = _is_none
    is_personal: Callable[[str, str], bool] = _is_none

    def is_loopback(self, request: Request) -> bool:
        """Return whether the unrestricted roles of the first start count for a request."""
        return request.connection.loopback or self.open_bootstrap

    def rights(self, request: Request) -> Rights:
        """Return the rights of the user of a request, as far as its token allows them."""
        rights, token = self.profiles.rights(request.user, loopback=self.is_loopback(request)), request.token
        return rights if token is None or token.allow is None else rights.limited_to(token.allow)

    def allows(self, request: Request, controller: str, action: str, args: Mapping[str, Any] | None = None) -> bool:
        """Return whether the user of a request may call an action on the index and collection that `args` name.

        The token of the request may allow fewer actions than its user's roles do.
        """
        token = request.token
        if token is not None and token.allow is not None and f"{controller}:{action}" not in token.allow:
            return False
        if self.rights(request).allows(controller, action, args):
            return True
        return self.is_open(controller, action)

    async def actor(self, request: Request) -> User | None:
        """Return the user who acts as the user of a request; None where nobody does, or where that user is deleted."""
        token = request.token
        return None if token is None or token.actor is None else await self.users.get(token.actor)

    def may_act(self, actor: User | None, controller: str, action: str, args: Mapping[str, Any] | None = None) -> bool:
        """Return whether a user who acts as another may call an action that the other may."""
        if actor is None or self.is_personal(controller, action):
            return False
        if self.beyond_actor or self.profiles.rights(actor).allows(controller, action, args):
            return True
        return self.is_open(controller, action)

    def allows_both(
        self, request: Request, actor: User | None, controller: str, action: str, args: Mapping[str, Any] | None = None
    ) -> bool:
        """Return whether the user of a request may call an action, and the actor, too, if one acts as the user."""
        if not self.allows(request, controller, action, args):
            return False
        token = request.token
        return token is None or token.actor is None or self.may_act(actor, controller, action, args)

    async def policies(self, request: Request) -> Sequence[Policy]:
        """Return the policies of the user of a request: those that the actor has, too, where one acts as the user."""
        own, token = self.rights(request).policies, request.token
        if token is None or token.actor is None:
            return own
        actor = await self.actor(request)
        if actor is None:
            return ()
        return own if self.beyond_actor else shared_policies(own, self.profiles.rights(actor).policies)

    async def identify(self, text: str) -> tuple[Token, User]:
        """Return a verified token, and its user, from the text of a token or API key.

        Raises `InvalidToken`, also where the user was deleted, and `ExpiredToken`.
        """
        token = await self.verify(text)
        user = await self.users.get(token.user_id)
        if user is None:
            raise errors.InvalidToken
        return token, user

    async def identify_foreign(self, credential: Credential, request: Request) -> tuple[Token, User]:
        """Return a verified token, and its user, from a credential that a token verifier knows.

        Raises what `identify` raises, and the errors of the verifier.
        """
        token = await self._verify_foreign(credential, request)
        user = await self.users.get(token.user_id)
        if user is None:
            raise errors.InvalidToken
        return token, user

    async def verify(self, text: str) -> Token:
        """Return a verified token from the text of a token or API key. Raises `InvalidToken`, `ExpiredToken`."""
        if text.startswith(api_keys.PREFIX) and self.tokens.verified.get(text) is None:
            token = await self.api_keys.verify(text)
        else:
            token = await self.tokens.verify(text)
        self.tokens.verified.depend_on(text)
        return token

    async def _verify_foreign(self, credential: Credential, request: Request) -> Token:
        token = await self.foreign_tokens.verify(credential, request)
        self.tokens.verified.depend_on(credential.key)
        return token

    async def check(self, text: str, request: Request) -> Token:
        """Return a verified token from a text that a request asks about: a bearer that a verifier knows counts, too.

        Raises what `verify` raises, and the errors of the verifier.
        """
        verifiers = self.foreign_tokens.verifiers
        if verifiers and not text.startswith(NATIVE_PREFIXES):
            credential = verifiers.find_bearer(request, text)
            if credential is not None:
                return await self._verify_foreign(credential, request)
        return await self.verify(text)
