"""The result of a login. `controllers.result_types.LoginResult` is its type."""

from __future__ import annotations

from visado.request import Fields
from visado.security.logins.admission import LoggedIn
from visado.security.tokens.issuing import IssuedToken


def login_result(logged_in: LoggedIn, *, with_text: bool = True) -> Fields:
    """Return what the strategy and the login checks add, and `token_result`. Raises `ValueError` without a token."""
    if logged_in.issued is None:
        raise ValueError("this login has no token")
    return {**logged_in.admission.data, **token_result(logged_in.issued, with_text=with_text)}


def token_result(issued: IssuedToken, *, with_text: bool = True) -> Fields:
    """Return `{_id, expiresAt, jwt, ttl}`; without `jwt` where a cookie carries the token."""
    token = issued.token
    text = {"jwt": issued.text} if with_text else {}
    return {"_id": token.user_id, "expiresAt": token.expires_at, **text, "ttl": token.ttl}
