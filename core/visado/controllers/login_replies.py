"""The replies to a login: with the token in the result or in a cookie, with a redirect, or with a page that posts."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import quote

from visado.controllers.browser import posting_page, token_cookie
from visado.errors import InvalidOutcome
from visado.request import Fields, Request
from visado.response import Reply
from visado.security.logins.admission import LoggedIn
from visado.security.logins.login_result import login_result, token_result
from visado.security.tokens.issuing import IssuedToken
from visado.settings.durations import FOREVER
from visado.strategy import Redirect

_OK: Final = 200
_SAFE_URL_CHARACTERS: Final = "%/:=&?~#+!$,;'@()*[]"


def uses_cookie(request: Request, cookie_auth: bool | None) -> bool:
    """Return whether a cookie carries the token: the argument `cookieAuth`, or else whether the request has one."""
    return request.cookie is not None if cookie_auth is None else cookie_auth


def login_reply(request: Request, logged_in: LoggedIn, *, cookie_auth: bool) -> Reply:
    """Return the reply to a login. A browser with a location is redirected there, with its token as a cookie."""
    issued, cookies = logged_in.issued, logged_in.admission.cookies
    headers = dict(logged_in.admission.login.success.headers)
    if logged_in.location is not None:
        token = (_cookie(request, issued),) if issued is not None else ()
        return _redirect(Redirect(logged_in.location, cookies=(*cookies, *token)), headers)
    if issued is not None and cookie_auth and request.connection.transport == "http":
        result = login_result(logged_in, with_text=False)
        return Reply(result, headers=headers, cookies=(*cookies, _cookie(request, issued)))
    return Reply(login_result(logged_in), headers=headers, cookies=cookies)


def token_reply(request: Request, issued: IssuedToken, *, cookie_auth: bool) -> Reply:
    """Return the reply with a refreshed token: in the result, or in a cookie when `cookie_auth` is set over HTTP."""
    if cookie_auth and request.connection.transport == "http":
        return Reply(token_result(issued, with_text=False), cookies=(_cookie(request, issued),))
    return Reply(token_result(issued))


def redirect_reply(request: Request, redirect: Redirect) -> Reply:
    """Return the reply to a redirect: 302, a page that posts for a browser, or the address and the fields as data.

    Raises `InvalidOutcome` for fields or an address that a page cannot post.
    """
    if redirect.post is None:
        return _redirect(redirect, {})
    data = {**redirect.data, "location": redirect.location, "post": dict(redirect.post)}
    if not _is_page(request):
        return Reply(data, cookies=redirect.cookies)
    try:
        page = posting_page(redirect.location, redirect.post)
    except ValueError:
        raise InvalidOutcome(strategy=request.args.get("strategy", "local")) from None
    return Reply(page.result, page.status, page.headers, redirect.cookies, raw=True)


def address_as_data(request: Request, redirect: Redirect) -> Redirect:
    """Return a redirect whose result contains the address, for a client that is no navigating page.

    `fetch` would follow a 302 to another site, and hide the address from the page.
    """
    if redirect.post is not None or _is_page(request):
        return redirect
    return replace(redirect, status=_OK, data={**redirect.data, "location": redirect.location})


def _is_page(request: Request) -> bool:
    return request.connection.transport == "http" and "text/html" in (request.header("accept") or "")


def _redirect(redirect: Redirect, headers: dict[str, str]) -> Reply:
    own = {"Location": quote(redirect.location, safe=_SAFE_URL_CHARACTERS), "Content-Length": "0"}
    result: Fields = {**redirect.data, "headers": own, "statusCode": redirect.status}
    return Reply(result, redirect.status, {**headers, **own}, redirect.cookies)


def _cookie(request: Request, issued: IssuedToken) -> str:
    expires_at = None if issued.token.expires_at == FOREVER else issued.token.expires_at
    return token_cookie(issued.text, expires_at, request.connection)
