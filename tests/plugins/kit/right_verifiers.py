"""Two small correct token verifiers, a bearer and a header, and the kit's suite for them."""

from __future__ import annotations

import base64
import hmac

import jwt

from visado import AccountRules, Identity, TokenVerifier, Verified
from visado_kit import ClientRequest, TokenVerifierContract

KEY = "a key of the issuer, which is long enough"
LATER = 4_000_000_000


def ticket(subject="user-0", key=KEY, **claims):
    return jwt.encode({"sub": subject, "exp": LATER, "aud": "host", **claims}, key, "HS256")


class Tickets(TokenVerifier):
    """JWTs of an issuer that shares a key with the host."""

    name = "tickets"
    accounts = AccountRules(auto_create=True)

    def find(self, request):
        return request.jwt if request.jwt is not None and request.jwt.count(".") == 2 else None

    async def verify(self, credential, request):
        claims = self.read(credential)
        return None if claims is None else Verified(Identity(claims["sub"]), claims["exp"] * 1_000)

    def read(self, credential, **options):
        try:
            return jwt.decode(credential, KEY, algorithms=["HS256"], audience="host", options=options)
        except (jwt.PyJWTError, ValueError):
            return None


class TicketsContract(TokenVerifierContract):
    """The input of `Tickets`."""

    Plugin = Tickets
    SKIPPED = frozenset()

    def make(self, host):
        return self.Plugin()

    def valid(self, harness, number):
        return ClientRequest(token=ticket(f"user-{number}"))

    def invalid(self, harness):
        yield ClientRequest(token=ticket(exp=1_000_000_000))
        yield ClientRequest(token=ticket(aud="another host"))
        yield ClientRequest(token=ticket(key="the key of another issuer, also long enough"))


class Passwords(TokenVerifier):
    """Basic on any request."""

    name = "passwords"

    def find(self, request):
        text = request.header("authorization")
        return text if text is not None and text.lower().startswith("basic ") else None

    async def verify(self, credential, request):
        name, password = self.read(credential)
        right = hmac.compare_digest(password.encode(), f"password of {name}".encode())
        return Verified(name) if right and name.startswith("kuid-") else None

    def read(self, credential):
        try:
            name, _, password = base64.b64decode(credential[6:], validate=True).decode().partition(":")
        except ValueError:
            return "", ""
        return name, password


def basic(name, password):
    return ClientRequest(headers={"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()})


class PasswordsContract(TokenVerifierContract):
    """The input of `Passwords`."""

    Plugin = Passwords
    SKIPPED = frozenset({"test_unsigned_tokens_are_refused"})

    def make(self, host):
        return self.Plugin()

    async def enroll(self, harness, number):
        await harness.host.create_user(number)

    def valid(self, harness, number):
        return basic(f"kuid-of-user-{number}", f"password of kuid-of-user-{number}")

    def invalid(self, harness):
        yield basic("kuid-of-user-0", "wrong")
        yield basic("kuid-of-nobody", "password of kuid-of-nobody")


class TestTickets(TicketsContract):
    """The whole suite."""


class TestPasswords(PasswordsContract):
    """The whole suite."""
