"""The contract of a token verifier."""

import time

from issuer import EC, RSA, Issuer
from visado_kit import ClientRequest, TokenVerifierContract

ISSUER = Issuer()


class TestJwt(TokenVerifierContract):
    kid = "r0"

    def settings(self):
        return {"jwt": ISSUER.settings()}

    def make(self, host):
        return next(each for each in host.token_verifiers if each.name == "jwt")

    def valid(self, harness, number):
        return ClientRequest(token=ISSUER.token(self.kid, sub=f"user-{number}", email=f"{number}@example.com"))

    def invalid(self, harness):
        now = int(time.time())
        yield ClientRequest(token=ISSUER.token(self.kid, exp=now - 31))
        yield ClientRequest(token=ISSUER.token(self.kid, nbf=now + 60))
        yield ClientRequest(token=ISSUER.token(self.kid, iat=now + 60))
        for missing in ("exp", "sub", "iss", "aud"):
            yield ClientRequest(token=ISSUER.token(self.kid, **{missing: None}))
        for audience in ("another", [], ["another"], "Visado", {"visado": 1}, 7, "*", ""):
            yield ClientRequest(token=ISSUER.token(self.kid, aud=audience))
        for issuer in ("https://another.example", ISSUER.url + "/", [ISSUER.url], ""):
            yield ClientRequest(token=ISSUER.token(self.kid, iss=issuer))
        for subject in (7, ["user-0"], {"a": 1}, True):
            yield ClientRequest(token=ISSUER.token(self.kid, sub=subject))
        yield ClientRequest(token=ISSUER.token("r0", key=RSA[1]))
        yield ClientRequest(token=ISSUER.token("e0", key=EC[1]))
        yield ClientRequest(token=ISSUER.token("r0", key=EC[0]))
        yield ClientRequest(token=ISSUER.token("e0", key=RSA[0]))
        yield ClientRequest(token=ISSUER.token("nothing", key=RSA[0]))
        yield ClientRequest(token=ISSUER.token(self.kid, headers={"kid": None}))
        yield ClientRequest(token=ISSUER.token("r0", alg="RS512"))
        yield ClientRequest(token=ISSUER.token("r0", alg="PS256"))


class TestElliptic(TestJwt):
    kid = "e0"
