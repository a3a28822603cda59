"""The keys that an authenticator app and the host share. The only module that imports pyotp and segno."""

from __future__ import annotations

import hmac
import io
from dataclasses import dataclass, field
from typing import Final

import segno
from pyotp import random_base32
from pyotp.totp import TOTP

MAX_ACCOUNT_LENGTH: Final = 64
"""Characters of the account's name in the `otpauth://` URI: a longer name would make the QR code too dense."""
QR_SCALE: Final = 4
"""Pixels per module of the QR code."""


@dataclass(frozen=True, slots=True)
class TotpKey:
    """A shared secret (base32), with the digits and the period (seconds) of its codes.

    Codes are those of RFC 6238 with SHA-1, which every authenticator app supports.
    """

    secret: str = field(repr=False)
    digits: int = 6
    period: int = 30

    @classmethod
    def generate(cls, digits: int, period: int) -> TotpKey:
        """Generate a key with a secret of 160 random bits."""
        return cls(random_base32(), digits, period)

    def matching_steps(self, code: str, now: int, window: int) -> list[int]:
        """Return the time steps that have this code, among the step of `now` (ms) and `window` steps on either side.

        `code` must be ASCII.
        """
        totp = TOTP(self.secret, digits=self.digits, interval=self.period)
        current = now // 1_000 // self.period
        steps = range(max(0, current - window), current + window + 1)
        return [step for step in steps if hmac.compare_digest(totp.generate_otp(step), code)]

    def uri(self, issuer: str, account: str) -> str:
        """Return the `otpauth://` URI that authenticator apps read."""
        name = account[:MAX_ACCOUNT_LENGTH]
        totp = TOTP(self.secret, digits=self.digits, interval=self.period, issuer=issuer, name=name)
        return totp.provisioning_uri()


def qr_data_uri(uri: str) -> str:
    """Return the QR code of a URI as a PNG in a `data:` URI, for the `src` of an image."""
    return _qr_code(uri).png_data_uri(scale=QR_SCALE)


def qr_text(uri: str) -> str:
    """Return the QR code of a URI as text for a terminal."""
    out = io.StringIO()
    _qr_code(uri).terminal(out, compact=True)
    return out.getvalue()


def _qr_code(uri: str) -> segno.QRCode:
    return segno.make_qr(uri, error="l")
