"""A provider as a strategy: logins there, and the identities of their users."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field, create_model
from typing_extensions import override

from visado import AccountRules, Actor, Fields, Host, KeepsCredentials, Outcome, Redirect, Request, Success, errors
from visado_oauth.client import ProviderClient
from visado_oauth.credentials import NamedIdentity, ProviderCredentials
from visado_oauth.diagnosis import Finding, ProviderDiagnosis
from visado_oauth.errors import (
    InvalidLogoutToken,
    OauthError,
    ProofRequired,
    ProviderFailed,
    ProviderRefusedRefresh,
    ProviderTimeout,
    TokenRejected,
)
from visado_oauth.login.denials import LOGIN_FAILED, LoginDenied
from visado_oauth.login.device_flow import DeviceFlow
from visado_oauth.login.identities import IdentityReader, check_requirements
from visado_oauth.login.login_flow import LoginFlow
from visado_oauth.login.login_parameters import LoginParameters
from visado_oauth.login.provider_requests import ProviderRequests, logout_url
from visado_oauth.openid.keys import ProviderKeys
from visado_oauth.providers.discovery import ProviderDiscovery
from visado_oauth.providers.provider import Provider
from visado_oauth.sessions import ProviderSessions
from visado_oauth.settings import ProviderSettings

_log: Final = logging.getLogger("visado.oauth")


class OauthStrategy(KeepsCredentials):
    """Logs in at one provider. `configured` is the provider, or why the settings describe none."""

    timeout = 20.0
    stored = True

    def __init__(
        self,
        name: str,
        settings: ProviderSettings,
        configured: Provider | str,
        host: Host,
        credentials: ProviderCredentials,
        sessions: ProviderSessions,
        client: ProviderClient,
    ) -> None:
        self.name, self.title, self.icon, self.listed = name, settings.title, settings.icon, settings.listed
        self._credentials, self._sessions, self._client, self._tokens = credentials, sessions, client, host.tokens
        self.accounts = AccountRules(
            settings.auto_create, tuple(settings.default_profiles), content={}, refusal=LOGIN_FAILED.reason
        )
        if isinstance(configured, Provider):
            self.title = settings.title or configured.record.title
            described: Any = (str, Field(description="The claim that identifies the user at the provider."))
            self.credentials_form = create_model("Identity", **{settings.identifier: described})
        self._discovery = ProviderDiscovery(name, configured, client.get, client.guard, self._expect_posts)
        self._requests = ProviderRequests(client)
        self._keys = ProviderKeys(self._fetch_keys)
        self._reader = IdentityReader(self._requests, self._keys, host.clock)
        self._login_flow = LoginFlow(self._requests, self._reader)
        self._device_flow = DeviceFlow(self._requests, self._reader, client.guard)

    def __repr__(self) -> str:
        return f"<OauthStrategy {self.name}>"

    # -- the provider

    def _expect_posts(self, provider: Provider) -> None:
        self.posts_from = frozenset({provider.login_origin}) if provider.posts else frozenset()

    @override
    async def open(self) -> None:
        self._discovery.open()

    @override
    async def close(self) -> None:
        await self._discovery.close()
        await self._client.close()

    @override
    async def check(self) -> None:
        """Try the steps of a login that need no user. Raises `errors.StrategyRejected` for the first that fails."""
        configured = self._discovery.configured
        if configured is None:
            raise errors.StrategyRejected(reason=self._discovery.problem())

        def reject(finding: Finding) -> None:
            if not finding.passed:
                raise errors.StrategyRejected(reason=f"{finding.step}: {finding.text}")

        self._discovery.set_usable(await ProviderDiagnosis(self._client, configured).run(reject))

    @override
    def problem(self) -> str | None:
        return self._discovery.problem()

    async def provider(self) -> Provider:
        """Return the provider as it can be used now. Raises `ProviderUnavailable`."""
        return await self._discovery.get()

    async def _fetch_keys(self) -> Mapping[str, Any]:
        provider = await self.provider()
        return await self._client.get(self.name, provider.url("jwks_url"))

    # -- logins

    @override
    def reference(self, request: Request) -> str | None:
        return LoginParameters.read(request).reference

    @override
    async def authenticate(self, request: Request) -> Outcome:
        parameters = LoginParameters.read(request)
        provider = await self.provider()
        if parameters.members.get("logout_token") is not None:
            return await self._log_out(provider, parameters)
        if parameters.is_callback:
            return self._deny(LoginDenied("the state is missing, or is none of this host's"))
        try:
            if parameters.members.get("device") is True:
                return await self._device_flow.start(provider)
            return self._login_flow.start(provider, request, parameters)
        except LoginDenied as denied:
            return self._deny(denied)

    @override
    async def answer(self, request: Request, state: Fields) -> Outcome:
        provider = await self.provider()
        try:
            if "device" in state:
                identity, grant = await self._device_flow.finish(provider, state["device"])
            else:
                parameters = LoginParameters.read(request)
                identity, grant = await self._login_flow.finish(provider, parameters, state)
            check_requirements(provider, identity)
        except LoginDenied as denied:
            return self._deny(denied)
        return Success(
            self._credentials.describe(identity),
            state.get("returnTo"),
            methods=identity.methods,
            session=self._sessions.start(identity, grant),
        )

    def _deny(self, denied: LoginDenied) -> Outcome:
        _log.info("a login at %r is denied: %s", self.name, denied)
        return denied.outcome

    async def _log_out(self, provider: Provider, parameters: LoginParameters) -> Outcome:
        """Revoke the tokens that the provider's logout token names (OpenID Back-Channel Logout)."""
        text = parameters.members.get("logout_token")
        if parameters.from_url or not isinstance(text, str) or not provider.openid:
            raise InvalidLogoutToken
        try:
            claims = await self._reader.read_logout_token(provider, text)
        except TokenRejected as error:
            _log.info("a logout token of %r is rejected: %s", self.name, error)
            raise InvalidLogoutToken from None
        if not await self._sessions.use_logout_token(claims):
            raise InvalidLogoutToken
        await self._sessions.end(claims)
        return Redirect(provider.redirect_uri, status=200)

    # -- credentials

    @override
    async def validate(self, user_id: str, credentials: Fields, by: Actor, *, update: bool) -> None:
        named = await self._read_named(credentials, by, update=update)
        await self._credentials.check_free(named, user_id)

    @override
    async def create(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        await self._credentials.create(user_id, await self._read_named(credentials, by, update=False))
        return await self.info(user_id)

    @override
    async def update(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        await self._credentials.update(user_id, await self._read_named(credentials, by, update=True))
        return await self.info(user_id)

    async def _read_named(self, credentials: Fields, by: Actor, *, update: bool) -> NamedIdentity:
        """Return the identity that an administrator names. Raises `ProofRequired` for anybody else."""
        provider = await self.provider()
        if by.must_prove:
            raise ProofRequired(provider=self.name)
        return NamedIdentity.read(credentials, provider, update=update)

    @override
    async def delete(self, user_id: str, by: Actor) -> None:
        await self._credentials.find(user_id)
        if by.kind == "owner":
            await self._credentials.check_not_last(user_id)
        await self._credentials.delete(user_id)

    @override
    async def exists(self, user_id: str) -> bool:
        return await self._credentials.exists(user_id)

    @override
    async def info(self, user_id: str) -> Fields:
        return self._credentials.public_fields(await self._credentials.find(user_id))

    @override
    async def by_id(self, subject: str) -> Fields:
        configured = self._discovery.configured
        stored = await self._credentials.find_by_subject(configured.issuer if configured is not None else "", subject)
        return {**self._credentials.public_fields(stored), "kuid": stored["userId"]}

    # -- refresh and logout

    @override
    async def refresh(self, request: Request, session: Fields) -> Fields:
        if not session or not await self._credentials.exists(request.user.id):
            return await super().refresh(request, session)
        text = self._sessions.refresh_token(session)
        if text is None:
            return {}
        provider = await self.provider()
        try:
            grant = await self._requests.refresh(provider, text)
            if grant.id_token is not None and provider.openid:
                await self._reader.check_refreshed(provider, grant, session["iss"], session["sub"])
        except (OauthError, TokenRejected) as error:
            _log.info("the provider %r refuses to refresh a login: %s", self.name, error)
            if request.token is not None:
                await self._tokens.revoke(request.token)
            raise ProviderRefusedRefresh(provider=self.name) from None
        return {"session": self._sessions.renew(session, grant)}

    @override
    async def logout(self, request: Request, session: Fields) -> str | None:
        provider = self._discovery.usable
        if provider is None or not provider.settings.logout:
            return None
        text = self._sessions.refresh_token(session)
        if "revoke" in provider.settings.logout and text is not None and "revoke_url" in provider.endpoints:
            with contextlib.suppress(OauthError, ProviderFailed, ProviderTimeout):  # the logout here succeeds anyway
                await self._requests.revoke(provider, text)
        if "end_session" in provider.settings.logout and "end_session_url" in provider.endpoints:
            return logout_url(provider)
        return None
