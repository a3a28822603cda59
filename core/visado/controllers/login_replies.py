"""The replies to a login: with the token in the result or in a cookie, with a redirect, or with a page that posts."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from email.utils import formatdate
from html import escape
from typing import Final
from urllib.parse import quote

from visado.errors import InvalidOutcome
from visado.request import Connection, Fields, Request
from visado.response import Reply
from visado.security.logins.admission import LoggedIn
from visado.security.logins.login_result import login_result, token_result
from visado.security.tokens.issuing import IssuedToken
from visado.settings.durations import FOREVER
from visado.strategy import Redirect

_OK: Final = 200
_MAX_EXPIRES_SECONDS: Final = 253_402_300_799
"""The end of the year 9999, the last that an HTTP date can express."""
_ACTION: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?P<port>:[0-9]{1,5})?([/?#][\x21-\x7e]*)?",
    re.IGNORECASE | re.ASCII,
)
_STYLE: Final = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}"
    "button{font:inherit;padding:.6rem 1.6rem}"
)
# A field may be called `submit`, and would then hide the form's own method.
_SCRIPT: Final = "HTMLFormElement.prototype.submit.call(document.forms[0])"
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Continue to {host}</title>
<style>{style}</style>
</head>
<body>
<h1>Continue to {host}</h1>
<p>To log in, continue at <strong>{host}</strong>. If this page does not go there by itself, press the button.</p>
<form method="post" action="{action}">
{fields}<button type="submit">Continue</button>
</form>
<script>{script}</script>
</body>
</html>
"""
_CONTINUING_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={url}">
<title>You are logged in</title>
</head>
<body>
<p>You are logged in. <a href="{url}">Continue</a></p>
</body>
</html>
"""
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
        if issued is not None and _comes_from_another_site(request) and _is_web_address(logged_in.location):
            return continuing_page(logged_in.location, headers, (*cookies, *token))
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
    return replace(page, cookies=redirect.cookies)


def address_as_data(request: Request, redirect: Redirect) -> Redirect:
    """Return a redirect whose result contains the address, for a client that is no navigating page.

    `fetch` would follow a 302 to another site, and hide the address from the page.
    """
    if redirect.post is not None or _is_page(request):
        return redirect
    return replace(redirect, status=_OK, data={**redirect.data, "location": redirect.location})


def _comes_from_another_site(request: Request) -> bool:
    return _is_page(request) and request.header("sec-fetch-site") == "cross-site"


def _is_web_address(location: str) -> bool:
    """Return whether a location is relative, or has http or https."""
    return re.match(r"(https?:|[^:]*([/?#]|$))", location, re.IGNORECASE) is not None


def _is_page(request: Request) -> bool:
    return request.connection.transport == "http" and "text/html" in (request.header("accept") or "")


def _redirect(redirect: Redirect, headers: dict[str, str]) -> Reply:
    own = {"Location": quote(redirect.location, safe=_SAFE_URL_CHARACTERS), "Content-Length": "0"}
    result: Fields = {**redirect.data, "headers": own, "statusCode": redirect.status}
    return Reply(result, redirect.status, {**headers, **own}, redirect.cookies)


def _cookie(request: Request, issued: IssuedToken) -> str:
    expires_at = None if issued.token.expires_at == FOREVER else issued.token.expires_at
    return token_cookie(issued.text, expires_at, request.connection)


def token_cookie(token: str, expires_at: int | None, connection: Connection) -> str:
    """Return a `Set-Cookie` value that stores a token.

    `expires_at` is in milliseconds since 1970; with None the browser deletes the cookie when it closes. The browser
    sends the cookie to the path of this application alone.
    """
    parts = [f"authToken={token}", f"Path={quote(connection.base_path) or '/'}"]
    if expires_at is not None:
        parts.append(f"Expires={formatdate(min(expires_at // 1_000, _MAX_EXPIRES_SECONDS), usegmt=True)}")
    return "; ".join([*parts, "HttpOnly", "SameSite=Strict", *(["Secure"] if connection.secure else [])])


def cleared_cookie(connection: Connection) -> str:
    """Return a `Set-Cookie` value that replaces a stored token with `null`."""
    return token_cookie("null", None, connection)


def posting_page(action: str, fields: Mapping[str, str]) -> Reply:
    """Return a page that posts these fields to an address: at once with a script, and by a button without one.

    `action` is an ASCII URL with http or https and without user information. The `Content-Security-Policy` allows the
    page nothing but its style, its script and a form. It names the scheme of the target and not its origin: browsers
    apply it to redirects too, and identity providers redirect to other origins. `Referrer-Policy` lets the target see
    the origin of the host, and never the path. The host sends `Cache-Control: no-store` with every response.

    Raises `ValueError` for another action, and for a field with a NUL character or with half of a surrogate pair.
    """
    target = _ACTION.fullmatch(action)
    if target is None:
        raise ValueError("the action of a form is an http or https URL")
    inputs = "".join(
        f'<input type="hidden" name="{_attribute(name)}" value="{_attribute(value)}">\n'
        for name, value in fields.items()
    )
    host = escape(f"{target['host']}{target['port'] or ''}")
    page = _PAGE.format(host=host, style=_STYLE, script=_SCRIPT, action=_attribute(action), fields=inputs)
    policy = (
        f"default-src 'none'; style-src {_source(_STYLE)}; script-src {_source(_SCRIPT)}; "
        f"form-action {target['scheme'].lower()}:; frame-ancestors 'none'; base-uri 'none'"
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "strict-origin",
    }
    return Reply(page, headers=headers, raw=True)


def continuing_page(location: str, headers: Mapping[str, str], cookies: tuple[str, ...]) -> Reply:
    """Return a page that goes on to a location: at once, and by a link.

    A browser that comes from a page of another site would not send the new token, a `SameSite=Strict` cookie, to the
    target of a redirect. From this page of the host it does.
    """
    url = quote(location, safe=_SAFE_URL_CHARACTERS)
    page = _CONTINUING_PAGE.format(url=_attribute(url))
    policy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
    own = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
    }
    return Reply(page, headers={**headers, **own}, cookies=cookies, raw=True)


def _attribute(text: str) -> str:
    """Return a text as the value of an attribute. A bare line break would reach the target as another one."""
    text.encode()
    if "\0" in text:
        raise ValueError("a page cannot hold a NUL character")
    return escape(text).replace("\r", "&#13;").replace("\n", "&#10;")


def _source(text: str) -> str:
    """Return the source of a Content-Security-Policy that allows this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
