"""The controller `oauth`: link an identity to the user who is signed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from visado import Controller, Reply, Request, Strategy, Text, action, errors, post


class OauthController(Controller):
    """What signed-in users do with providers."""

    name: ClassVar[str] = "oauth"

    def __init__(self, strategies: Mapping[str, Strategy]) -> None:
        self._strategies = strategies

    @action(post("/_oauth/:strategy/_link"), extension=True)
    async def link(self, request: Request, strategy: Text) -> Any:
        """Begin to link an identity of mine: the answer holds the provider's address.

        A browser gets a cookie, goes to the address, and comes back as after a login. A client without cookies sends
        `challenge` (and `redirectUri`), and gives code, state and verifier to `auth:createMyCredentials`.
        """
        from visado_oauth.strategy import OauthStrategy

        found = self._strategies.get(strategy)
        if not isinstance(found, OauthStrategy):
            raise errors.UnknownStrategy(strategy=strategy)
        if request.user.anonymous:
            raise errors.LoginRequired(controller="oauth", action="link")
        redirect = await found.begin_link(request)
        return Reply({**redirect.data, "location": redirect.location}, cookies=redirect.cookies)
