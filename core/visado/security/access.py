"""Access: identifies the user of a request by token or API key, and returns the user's rights."""

from __future__ import annotations

from dataclasses import dataclass

from visado import errors
from visado.request import Request, Token, User
from visado.security.rights.profiles import Profiles
from visado.security.rights.rights import Rights
from visado.security.tokens import api_keys
from visado.security.tokens.api_keys import ApiKeys
from visado.security.tokens.tokens import Tokens
from visado.security.users.users import Users


@dataclass(slots=True)
class Access:
    """The users, profiles, tokens and API keys, for identifying users.

    With `open_bootstrap`, the unrestricted roles of the first start count for every client.
    """

    users: Users
    profiles: Profiles
    tokens: Tokens
    api_keys: ApiKeys
    open_bootstrap: bool = False

    def is_loopback(self, request: Request) -> bool:
        """Return whether the unrestricted roles of the first start count for a request."""
        return request.connection.loopback or self.open_bootstrap

    def rights(self, request: Request) -> Rights:
        """Return the rights of the user of a request."""
        return self.profiles.rights(request.user, loopback=self.is_loopback(request))

    async def identify(self, text: str) -> tuple[Token, User]:
        """Return a verified token, and its user, from the text of a token or API key.

        Raises `InvalidToken`, also where the user was deleted, and `ExpiredToken`.
        """
        token = await self.verify(text)
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
