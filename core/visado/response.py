"""The response to a request, whatever the transport: the reply of an action, and the envelope around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from visado import errors
from visado.request import Fields, Request


class Nothing:
    """The result of an action whose response has no result: the envelope then lacks the member."""


NO_RESULT: Final = Nothing()


@dataclass(frozen=True, slots=True)
class Reply:
    """What an action returns that sets more than the result.

    `headers` are sent, and stand in the envelope too. `cookies` are `Set-Cookie` values, for HTTP alone. With `raw`,
    the result is sent without envelope.
    """

    result: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cookies: tuple[str, ...] = ()
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """The response to one request. `request` is None where the client sent something that is no request."""

    request_id: Any
    reply: Reply
    error: errors.VisadoError | None = None
    request: Request | None = None
    bare: bool = False

    @property
    def status(self) -> int:
        """The HTTP status; the envelope holds it too."""
        return self.error.status if self.error else self.reply.status

    def failed(self) -> Response:
        """Return the error response that is sent where JSON cannot write this one."""
        return replace(self, reply=Reply(None), error=errors.PluginFailed(cause="the result is no JSON"))

    def envelope(self, node: str) -> Fields:
        """Return the envelope, as `docs/api.md` shows it. `node` is the id of the running host."""
        request, reply = self.request, self.reply
        envelope: Fields = {
            "action": request.action if request else None,
            "controller": request.controller if request else None,
            "error": self.error.as_dict() if self.error else None,
            "headers": {name.lower(): text for name, text in reply.headers.items()},
            "node": node,
            "requestId": self.request_id,
            "result": reply.result,
            "status": self.status,
            "volatile": request.volatile if request else None,
        }
        if reply.result is NO_RESULT:
            del envelope["result"]
        if request:
            envelope.update((name, request.args[name]) for name in ("index", "collection") if name in request.args)
        return envelope
