"""Who asks, with what, and what they may do: the parts that every request goes through."""

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
    """Users, their profiles, and the tokens and API keys by which they are known again."""

    users: Users
    profiles: Profiles
    tokens: Tokens
    api_keys: ApiKeys
    open_bootstrap: bool = False

    def is_loopback(self, request: Request) -> bool:
        """Whether the rights of the first start count for this request."""
        return request.connection.loopback or self.open_bootstrap

    def rights(self, request: Request) -> Rights:
        """What whoever asks may do."""
        return self.profiles.rights(request.user, loopback=self.is_loopback(request))

    async def identify(self, text: str) -> tuple[Token, User]:
        """Find out who asks with this token or API key. Raises `InvalidToken`, also where the user has vanished."""
        token = await self.verify(text)
        user = await self.users.get(token.user_id)
        if user is None:
            raise errors.InvalidToken
        return token, user

    async def verify(self, text: str) -> Token:
        """Find out whose token or API key this is. Raises `InvalidToken`."""
        if text.startswith(api_keys.PREFIX) and not self.tokens.knows(text):
            token = await self.api_keys.verify(text)
        else:
            token = await self.tokens.verify(text)
        self.tokens.depend_on(text)
        return token
