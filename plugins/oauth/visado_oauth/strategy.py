"""A provider as a strategy: logins there, and the identities of their users."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from pydantic import create_model
from typing_extensions import override

from visado import Actor, Fail, Fields, Host, KeepsCredentials, Outcome, Redirect, Request, Success, errors
from visado_oauth.accounts import ProviderAccounts
from visado_oauth.client import ProviderClient
from visado_oauth.credentials import NamedIdentity, contains_proof
from visado_oauth.diagnosis import Finding, ProviderDiagnosis
from visado_oauth.errors import (
    InvalidLogoutToken,
    LastCredentials,
    OauthError,
    ProofRefused,
    ProofRequired,
    ProviderFailed,
    ProviderRefusedRefresh,
    ProviderTimeout,
    TokenRejected,
)
from visado_oauth.login.attempts import LoginAttempts
from visado_oauth.login.device_flow import DeviceFlow
from visado_oauth.login.identities import IdentityReader
from visado_oauth.login.login_flow import LoginFlow
from visado_oauth.login.login_parameters import LoginParameters
from visado_oauth.login.proofs import LOGIN_FAILED, LoginDenied, ProvedIdentity
from visado_oauth.login.provider_requests import ProviderRequests, logout_url
from visado_oauth.openid.keys import ProviderKeys
from visado_oauth.providers.discovery import ProviderDiscovery
from visado_oauth.providers.provider import Provider

_log: Final = logging.getLogger("visado.oauth")


class OauthStrategy(KeepsCredentials):
    """Logs in at one provider. `configured` is the provider, or why the settings describe none."""

    timeout = 20.0
    stored = True

    def __init__(
        self,
        name: str,
        configured: Provider | str,
        host: Host,
        accounts: ProviderAccounts,
        attempts: LoginAttempts,
        client: ProviderClient,
    ) -> None:
        self.name = name
        self._accounts, self._attempts, self._client, self._tokens = accounts, attempts, client, host.tokens
        self._discovery = ProviderDiscovery(name, configured, client.get, client.guard)
        self._requests = ProviderRequests(client)
        self._keys = ProviderKeys(self._fetch_keys)
        self._reader = IdentityReader(self._requests, self._keys, host.clock)
        self._login_flow = LoginFlow(attempts, self._requests, self._reader)
        self._device_flow = DeviceFlow(attempts, self._requests, self._reader, client.guard)
        if isinstance(configured, Provider):
            identifier: Any = (str, ...)
            self.credentials_form = create_model("Identity", **{configured.settings.identifier: identifier})

    def __repr__(self) -> str:
        return f"<OauthStrategy {self.name}>"

    # -- the provider

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
    async def authenticate(self, request: Request) -> Outcome:
        parameters = LoginParameters.read(request)
        provider = await self.provider()
        try:
            if parameters.members.get("logout_token") is not None:
                return await self._log_out(provider, parameters)
            if isinstance(parameters.members.get("device"), str):
                return await self._enter(await self._device_flow.finish(provider, parameters))
            if parameters.is_callback:
                return await self._enter(await self._login_flow.finish(provider, request, parameters))
            return await self._start(provider, request, parameters)
        except LoginDenied as denied:
            _log.info("a login at %r is denied: %s", self.name, denied)
            return denied.outcome

    async def start_link(self, request: Request) -> Redirect:
        """Send the current user to the provider, to prove an identity that is then linked to the user."""
        provider = await self.provider()
        try:
            return await self._start(provider, request, LoginParameters.read(request), request.user.id)
        except LoginDenied as denied:
            raise errors.InvalidArgument(argument="body", expected=str(denied)) from None

    async def _start(
        self, provider: Provider, request: Request, parameters: LoginParameters, owner: str | None = None
    ) -> Redirect:
        if parameters.members.get("device") is True:
            return await self._device_flow.start(provider)
        return await self._login_flow.start(provider, request, parameters, owner)

    async def _enter(self, proved: ProvedIdentity) -> Outcome:
        owner, attempt = proved.attempt.owner, proved.attempt
        if owner is not None:
            if not await self._accounts.user_exists(owner):
                raise LoginDenied("the user who started the link no longer exists")
            await self._accounts.link(proved.identity, proved.grant, owner)
        user_id = owner or await self._accounts.find_user(proved.identity, proved.grant)
        if user_id is None:
            _log.info("a login at %r is denied: no user has this identity", self.name)
            return Fail(LOGIN_FAILED.reason, cookies=proved.cookies)
        return Success(user_id, attempt.return_to, cookies=proved.cookies)

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
        if not await self._attempts.use("logout", f"{claims['iss']} {claims['jti']}"):
            raise InvalidLogoutToken
        await self._accounts.revoke(claims["iss"], claims.get("sub"), claims.get("sid"))
        return Redirect(provider.redirect_uri, status=200)

    # -- credentials

    @override
    async def validate(self, user_id: str, credentials: Fields, by: Actor, *, update: bool) -> None:
        provider = await self.provider()
        if by.must_prove or contains_proof(credentials):
            if not contains_proof(credentials):
                self._require_proof()
            return
        named = NamedIdentity.read(credentials, provider, update=update)
        if named.subject is not None:
            stored = await self._accounts.get(named.issuer, named.subject)
            if stored is not None and stored["userId"] != user_id:
                raise errors.SubjectTaken(subject=named.subject)

    @override
    async def create(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        provider = await self.provider()
        if by.must_prove or contains_proof(credentials):
            proved = await self._prove(provider, credentials, by)
            await self._accounts.link(proved.identity, proved.grant, user_id)
        else:
            named = NamedIdentity.read(credentials, provider, update=False)
            await self._accounts.link_named(user_id, named.issuer, named.subject or "", named.attributes)
        return await self.info(user_id)

    @override
    async def update(self, user_id: str, credentials: Fields, by: Actor) -> Fields:
        provider = await self.provider()
        stored = await self._accounts.find_of_user(user_id)
        if by.must_prove or contains_proof(credentials):
            proved = await self._prove(provider, credentials, by)
            await self._accounts.replace(proved.identity, proved.grant, user_id)
        else:
            named = NamedIdentity.read(credentials, provider, update=True)
            attributes = {**stored["attributes"], **named.attributes}
            kept = (stored["issuer"], stored["subject"])
            issuer, subject = (named.issuer, named.subject) if named.subject else kept
            await self._accounts.replace_named(user_id, issuer, subject, attributes)
        return await self.info(user_id)

    async def _prove(self, provider: Provider, credentials: Fields, by: Actor) -> ProvedIdentity:
        request = by.request
        if not contains_proof(credentials) or request is None:
            self._require_proof()
        try:
            parameters = LoginParameters(credentials, from_url=False)
            proved = await self._login_flow.finish(provider, request, parameters)
        except LoginDenied as denied:
            _log.info("an identity at %r is not proved: %s", self.name, denied)
            raise ProofRefused(provider=self.name) from None
        if proved.attempt.owner not in (None, request.user.id):
            raise ProofRefused(provider=self.name)
        return proved

    def _require_proof(self) -> NoReturn:
        raise ProofRequired(provider=self.name)

    @override
    async def delete(self, user_id: str, by: Actor) -> None:
        await self._accounts.find_of_user(user_id)
        if by.kind == "owner" and await self._accounts.is_last(user_id):
            raise LastCredentials(user=user_id)
        await self._accounts.unlink(user_id)

    @override
    async def exists(self, user_id: str) -> bool:
        return await self._accounts.get_of_user(user_id) is not None

    @override
    async def info(self, user_id: str) -> Fields:
        return self._accounts.public_fields(await self._accounts.find_of_user(user_id))

    @override
    async def by_id(self, subject: str) -> Fields:
        configured = self._discovery.configured
        issuer = configured.issuer if configured is not None else ""
        stored = await self._accounts.find_by_subject(issuer, subject)
        return {**self._accounts.public_fields(stored), "kuid": stored["userId"]}

    # -- refresh and logout

    @override
    async def refresh(self, request: Request, session: Fields) -> Fields:
        stored = await self._accounts.get_of_user(request.user.id)
        if stored is None:
            return await super().refresh(request, session)
        text = self._accounts.refresh_token(stored)
        if text is None:
            return {}
        provider = await self.provider()
        try:
            grant = await self._requests.refresh(provider, text)
            if grant.id_token is not None and provider.openid:
                await self._reader.check_refreshed(provider, grant, stored["issuer"], stored["sub"])
        except (OauthError, TokenRejected) as error:
            _log.info("the provider %r refuses to refresh a login: %s", self.name, error)
            await self._accounts.store_refresh_token(request.user.id, None)
            if request.token is not None:
                await self._tokens.revoke(request.token)
            raise ProviderRefusedRefresh(provider=self.name) from None
        if grant.refresh_token is not None:
            await self._accounts.store_refresh_token(request.user.id, grant.refresh_token)
        return {}

    @override
    async def logout(self, request: Request, session: Fields) -> str | None:
        provider = self._discovery.usable
        if provider is None or not provider.settings.logout:
            return None
        stored = await self._accounts.get_of_user(request.user.id)
        text = self._accounts.refresh_token(stored) if stored is not None else None
        if "revoke" in provider.settings.logout and text is not None and "revoke_url" in provider.endpoints:
            await self._accounts.store_refresh_token(request.user.id, None)
            with contextlib.suppress(OauthError, ProviderFailed, ProviderTimeout):  # the logout here succeeds anyway
                await self._requests.revoke(provider, text)
        if "end_session" in provider.settings.logout and "end_session_url" in provider.endpoints:
            return logout_url(provider)
        return None
