"""A strategy per provider: log in there, and be known here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from typing_extensions import override

from visado import Fields, Outcome, Redirect, Request, Strategy, Success, current_request, errors
from visado_oauth.accounts import Accounts
from visado_oauth.attempts import Attempts
from visado_oauth.catalogue import Misconfigured
from visado_oauth.check import Check, Finding, discovered
from visado_oauth.client import Http, Refused, Talk
from visado_oauth.errors import (
    InvalidLogoutToken,
    LastCredentials,
    ProofRefused,
    ProofRequired,
    ProviderFailed,
    ProviderRefusedRefresh,
    ProviderTimeout,
    ProviderUnavailable,
)
from visado_oauth.flow import REFUSED, Denied, Flow, Given, Proved
from visado_oauth.guard import Reach
from visado_oauth.identities import Named, names_proof, needs_proof
from visado_oauth.identity import Identities
from visado_oauth.keys import Forged, Keys
from visado_oauth.providers import Provider

_PATIENCE: Final = (5.0, 10.0, 20.0, 40.0, 60.0)
_ANEW: Final = 86_400.0
_log = logging.getLogger("visado.oauth")


class OauthStrategy(Strategy):
    """Logs in at one provider. `found` is the provider, or why there is none."""

    timeout = 20.0
    stored = True

    def __init__(
        self, name: str, found: Provider | str, accounts: Accounts, attempts: Attempts, http: Http, reach: Reach
    ) -> None:
        self.name = name
        self._configured = found if isinstance(found, Provider) else None
        self._problem: str | None = None if isinstance(found, Provider) else found
        self._provider = found if isinstance(found, Provider) and not found.discovers else None
        self._accounts, self._http, self._reach, self._attempts = accounts, http, reach, attempts
        self._talk = Talk(http)
        self._keys = Keys(self._ask_keys)
        self._identities = Identities(self._talk, self._keys)
        self._flow = Flow(attempts, self._talk, self._identities, reach)
        self._asked_at = 0.0
        self._lock = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        if self._configured is not None:
            # Not `iss`: the host refuses fields in addresses, and a callback's address has one.
            self.fields = (self._configured.settings.identifier,)

    def __repr__(self) -> str:
        return f"<OauthStrategy {self.name}>"

    # -- the provider

    @override
    async def open(self) -> None:
        if self._configured is None:
            _log.error("the provider %r is switched off: %s", self.name, self._problem)
        elif self._configured.discovers:
            self._watch = asyncio.create_task(self._keep_in_touch(self._configured))

    @override
    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        await self._http.close()

    @override
    async def check(self) -> None:
        """Ask the provider what a login would, as far as nobody has to log in."""
        if self._configured is None:
            raise errors.StrategyRejected(reason=self._problem)

        def refuse(found: Finding) -> None:
            if not found.right:
                raise errors.StrategyRejected(reason=f"{found.step}: {found.text}")

        self._provider, self._problem = await Check(self._http, self._configured, self._reach).run(refuse), None

    @override
    def problem(self) -> str | None:
        return None if self._provider is not None else self._problem or "it is being asked where its ends are"

    async def _keep_in_touch(self, configured: Provider) -> None:
        """Discover the provider, also when it is down for now, and once a day."""
        failures = 0
        while True:
            await self._discover(configured)
            failures = 0 if self._problem is None else min(failures + 1, len(_PATIENCE))
            await asyncio.sleep(_PATIENCE[failures - 1] if failures else _ANEW)

    async def _discover(self, configured: Provider) -> None:
        async with self._lock:
            self._asked_at = time.monotonic()
            try:
                self._provider = await discovered(self._http, configured, self._reach)
            except (errors.VisadoError, Refused, Misconfigured) as error:
                if self._problem != str(error):
                    _log.warning("the provider %r cannot be used: %s", self.name, error)
                self._problem = str(error)
            else:
                if self._problem is not None:
                    _log.info("the provider %r is back", self.name)
                self._problem = None

    async def ready(self) -> Provider:
        """Find the provider as it can be used now. Raises `ProviderUnavailable`."""
        if self._provider is not None:
            return self._provider
        rested = time.monotonic() - self._asked_at >= _PATIENCE[0]
        if self._configured is not None and not self._lock.locked() and rested:
            await self._discover(self._configured)
        elif self._lock.locked():
            async with self._lock:
                pass
        found: Provider | None = self._provider
        if found is None:
            raise ProviderUnavailable(provider=self.name, reason=self._problem)
        return found

    async def _ask_keys(self) -> Mapping[str, Any]:
        provider = await self.ready()
        return await self._http.get(self.name, provider.url("jwks_url"))

    # -- logging in

    @override
    async def authenticate(self, request: Request) -> Outcome:
        given = Given.read(request)
        provider = await self.ready()
        try:
            if given.members.get("logout_token") is not None:
                return await self._end_sessions(provider, given)
            if isinstance(given.members.get("device"), str):
                return await self._enter(await self._flow.ask_device(provider, given))
            if given.comes_back:
                return await self._enter(await self._flow.come_back(provider, request, given))
            return await self._flow.begin(provider, request)
        except Denied as denied:
            _log.info("a login at %r was refused: %s", self.name, denied)
            return denied.answer

    async def _enter(self, proved: Proved) -> Outcome:
        owner, attempt = proved.attempt.owner, proved.attempt
        if owner is not None:
            if await self._accounts.is_gone(owner):
                raise Denied("the user who began to link is gone")
            await self._accounts.link(proved.identity, proved.granted, owner)
        user_id = owner or await self._accounts.enter(proved.identity, proved.granted)
        if user_id is None:
            _log.info("a login at %r was refused: nobody has this identity", self.name)
            return type(REFUSED)(REFUSED.reason, proved.cookies)
        return Success(user_id, attempt.return_to, proved.cookies)

    async def begin_link(self, request: Request) -> Redirect:
        """Send a signed-in user to the provider, to prove an identity."""
        try:
            return await self._flow.begin(await self.ready(), request, request.user.id)
        except Denied as denied:
            raise errors.InvalidArgument(argument="body", expected=str(denied)) from None

    async def _end_sessions(self, provider: Provider, given: Given) -> Outcome:
        """Do as the provider's logout token says (OpenID Back-Channel Logout)."""
        text = given.members.get("logout_token")
        if given.from_address or not isinstance(text, str) or not provider.openid:
            raise InvalidLogoutToken
        try:
            found = await self._identities.logged_out(provider, text)
        except Forged as error:
            _log.info("a logout token of %r was refused: %s", self.name, error)
            raise InvalidLogoutToken from None
        if not await self._attempts.use("logout", f"{found['iss']} {found['jti']}", int(time.time())):
            raise InvalidLogoutToken
        await self._accounts.end_sessions(found["iss"], found.get("sub"), found.get("sid"))
        return Redirect(provider.redirect_uri, 200)

    # -- credentials

    @override
    async def validate(self, user_id: str, credentials: Fields, *, update: bool) -> None:
        provider = await self.ready()
        if needs_proof(current_request()) or names_proof(credentials):
            if not names_proof(credentials):
                self._refuse_claim()
            return
        named = Named.read(credentials, provider, update=update)
        if named.subject is not None:
            row = await self._accounts.row(named.issuer, named.subject)
            if row is not None and row["userId"] != user_id:
                raise errors.SubjectTaken(subject=named.subject)

    @override
    async def create(self, user_id: str, credentials: Fields) -> Fields:
        provider = await self.ready()
        if needs_proof(current_request()) or names_proof(credentials):
            proved = await self._prove(provider, credentials)
            await self._accounts.link(proved.identity, proved.granted, user_id)
        else:
            named = Named.read(credentials, provider, update=False)
            await self._accounts.keep(user_id, named.issuer, named.subject or "", named.attributes)
        return await self.info(user_id)

    @override
    async def update(self, user_id: str, credentials: Fields) -> Fields:
        provider = await self.ready()
        row = await self._accounts.find(user_id)
        if needs_proof(current_request()) or names_proof(credentials):
            proved = await self._prove(provider, credentials)
            await self._accounts.move(proved.identity, proved.granted, user_id)
        else:
            named = Named.read(credentials, provider, update=True)
            attributes = {**row["attributes"], **named.attributes}
            subject, issuer = (named.subject, named.issuer) if named.subject else (row["subject"], row["issuer"])
            await self._accounts.change(user_id, issuer, subject, attributes)
        return await self.info(user_id)

    async def _prove(self, provider: Provider, credentials: Fields) -> Proved:
        request = current_request()
        if not names_proof(credentials) or request is None:
            self._refuse_claim()
        try:
            proved = await self._flow.come_back(provider, request, Given(credentials, from_address=False))
        except Denied as denied:
            _log.info("an identity at %r was not proved: %s", self.name, denied)
            raise ProofRefused(provider=self.name) from None
        if proved.attempt.owner not in (None, request.user.id):
            raise ProofRefused(provider=self.name)
        return proved

    def _refuse_claim(self) -> NoReturn:
        raise ProofRequired(provider=self.name)

    @override
    async def delete(self, user_id: str) -> None:
        await self._accounts.find(user_id)
        request = current_request()
        if request is not None and request.controller == "auth" and await self._accounts.is_last(user_id):
            raise LastCredentials(user=user_id)
        await self._accounts.unlink(user_id)

    @override
    async def exists(self, user_id: str) -> bool:
        return await self._accounts.of_user(user_id) is not None

    @override
    async def info(self, user_id: str) -> Fields:
        return self._accounts.shown(await self._accounts.find(user_id))

    @override
    async def by_id(self, subject: str) -> Fields:
        issuer = self._configured.issuer if self._configured is not None else ""
        row = await self._accounts.by_subject(issuer, subject)
        return {**self._accounts.shown(row), "kuid": row["userId"]}

    # -- while it lasts, and when it ends

    @override
    async def refresh(self, request: Request) -> Fields:
        row = await self._accounts.of_user(request.user.id)
        if row is None:
            return await super().refresh(request)
        text = self._accounts.refresh_token(row)
        if text is None:
            return {}
        provider = await self.ready()
        try:
            granted = await self._talk.renew(provider, text)
            if granted.id_token is not None and provider.openid:
                await self._identities.same(provider, granted, row["issuer"], row["sub"])
        except (Refused, Forged) as error:
            _log.info("the provider %r does not renew a login: %s", self.name, error)
            await self._accounts.keep_refresh_token(request.user.id, None)
            if request.token is not None:
                await self._accounts.tokens.revoke(request.token)
            raise ProviderRefusedRefresh(provider=self.name) from None
        if granted.refresh_token is not None:
            await self._accounts.keep_refresh_token(request.user.id, granted.refresh_token)
        return {}

    @override
    async def logout(self, request: Request) -> str | None:
        provider = self._provider
        if provider is None or not provider.settings.logout:
            return None
        row = await self._accounts.of_user(request.user.id)
        text = self._accounts.refresh_token(row) if row is not None else None
        if "revoke" in provider.settings.logout and text is not None and "revoke_url" in provider.endpoints:
            await self._accounts.keep_refresh_token(request.user.id, None)
            with contextlib.suppress(Refused, ProviderFailed, ProviderTimeout):  # the logout here counts
                await self._talk.revoke(provider, text)
        if "end_session" in provider.settings.logout and "end_session_url" in provider.endpoints:
            return self._talk.logout_address(provider)
        return None
