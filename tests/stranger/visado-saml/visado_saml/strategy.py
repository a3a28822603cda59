import asyncio
import logging

from visado import (
    AccountRules,
    Fail,
    Fields,
    Identity,
    Outcome,
    Redirect,
    Request,
    Strategy,
    Success,
    Tokens,
    errors,
)

from visado_saml.errors import SamlNotReady
from visado_saml.provider import Provider
from visado_saml.settings import SamlSection

_log = logging.getLogger("visado_saml")
_REFUSED = "the message of the identity provider was refused"


class SamlStrategy(Strategy):
    name = "saml"
    title = "SAML"
    concurrency = 8
    accounts = AccountRules(auto_create=True, refusal=_REFUSED)
    _provider: Provider | None = None

    def __init__(self, section: SamlSection, public_url: str, tokens: Tokens) -> None:
        self._section, self._tokens = section, tokens
        self._url = f"{public_url.rstrip('/')}/_login/{self.name}"
        needed = {"metadata": section.metadata, "key": section.key, "certificate": section.certificate}
        self._missing = [f"[saml] {key}" for key, value in needed.items() if value is None]
        self._missing += [] if public_url else ["[server] public_url"]

    def problem(self) -> str | None:
        return f"set {', '.join(self._missing)}" if self._missing else None

    async def open(self) -> None:
        if not self._missing:
            try:
                self._provider = await asyncio.to_thread(Provider, self._section, self._url)
            except Exception as error:
                raise errors.StrategyRejected(reason=f"[saml] metadata, key or certificate: {error!r}") from error
            self.posts_from = self._section.posts_from or frozenset({self._provider.origin})

    async def authenticate(self, request: Request) -> Outcome:
        provider = self._ready()
        if "SAMLRequest" in request.query:
            return await self._log_out(provider, request)
        request_id, location, form = await asyncio.to_thread(provider.ask, request.reference)
        return Redirect(location, post=form, state={"request": request_id})

    def reference(self, request: Request) -> str | None:
        state = request.fields.get("RelayState")
        return state if isinstance(state, str) else None

    async def answer(self, request: Request, state: Fields) -> Outcome:
        response = request.fields.get("SAMLResponse")
        try:
            login = await asyncio.to_thread(self._ready().accept, response, state["request"])
        except Exception as error:  # of pysaml2 come errors of a dozen classes
            return _refuse("response", error)
        who = Identity(login.name_id, login.profile)
        session = {"name_id": login.name_id, "index": login.index}
        return Success(who, location=self._section.after_login, session=session, expires_at=login.ends)

    async def _log_out(self, provider: Provider, request: Request) -> Outcome:
        try:
            logout = await asyncio.to_thread(provider.log_out, request.query)
        except Exception as error:
            return _refuse("logout request", error)
        for session in [{"index": index} for index in logout.indexes] or [{}]:
            await self._tokens.revoke_of(self.name, name_id=logout.name_id, **session)
        return Redirect(logout.location)

    def _ready(self) -> Provider:
        if self._provider is None:
            raise SamlNotReady
        return self._provider


def _refuse(what: str, error: Exception) -> Fail:
    _log.warning("a %s was refused: %.200r", what, error)
    return Fail(_REFUSED)
