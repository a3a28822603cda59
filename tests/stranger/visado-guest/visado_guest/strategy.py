"""The strategy `guest`."""

import hashlib
import secrets

from visado import AccountRules, Fail, Host, Identity, Outcome, Request, Strategy, Success

from visado_guest.absence import Absence
from visado_guest.settings import GuestForm, GuestSection


class Guest(Strategy):
    """A guest is an identity, whose subject is the hash of a secret. The first login returns the secret as `guest`.

    A login with this secret is a visit. No token outlives the time after which the guest is deleted.
    """

    name, title, login_form, accounts = "guest", "Continue as a guest", GuestForm, AccountRules(auto_create=True)

    def __init__(self, section: GuestSection, host: Host) -> None:
        self._host, self._stay, self.absence = host, section.stay, Absence(host, self.name, section)

    async def authenticate(self, request: Request) -> Outcome:
        name, secret, now = request.fields.get("name", ""), request.fields.get("guest"), self._host.clock()
        if not (isinstance(name, str) and len(name) <= 40 and name.isprintable() and isinstance(secret, str | None)):
            return Fail("a name has at most 40 characters")
        if request.method == "GET" or not request.user.anonymous:
            # A link on any page is a GET: it would log visitors in. auth:link would make a guest of a user.
            return Fail("send a POST without a token")
        given = secret or secrets.token_urlsafe()
        subject = hashlib.sha256(given.encode(errors="replace")).hexdigest()
        if secret and await self._host.credentials.get(self.name, subject) is None:
            return Fail("this guest is unknown, or was away for too long")
        identity = Identity(subject, {"name": name} if name else {}, kept={"seen": now})
        return Success(identity, expires_at=now + self._stay, data={"guest": given})

    async def open(self) -> None:
        self.absence.start()

    async def close(self) -> None:
        self.absence.stop()
