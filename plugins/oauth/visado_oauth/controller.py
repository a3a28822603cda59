"""The controller `oauth`: link an identity to the current user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from visado import Controller, Reply, Request, Strategy, Text, action, errors, post


class OauthController(Controller):
    """The actions of users at providers."""

    name: ClassVar[str] = "oauth"

    def __init__(self, strategies: Mapping[str, Strategy]) -> None:
        self._strategies = strategies

    @action(post("/_oauth/:strategy/_link"), extension=True)
    async def link(self, request: Request, strategy: Text) -> Any:
        """Start to link an identity to the current user: `{location}` is the provider's login page.

        A browser receives a cookie, goes to the page, and returns as after a login. A client without cookies sends
        `challenge` (and `redirectUri`), and passes code, state and verifier to `auth:createMyCredentials`.
        """
        from visado_oauth.strategy import OauthStrategy

        provider = self._strategies.get(strategy)
        if not isinstance(provider, OauthStrategy):
            raise errors.UnknownStrategy(strategy=strategy)
        if request.user.anonymous:
            raise errors.LoginRequired(controller="oauth", action="link")
        redirect = await provider.start_link(request)
        return Reply({**redirect.data, "location": redirect.location}, cookies=redirect.cookies)
