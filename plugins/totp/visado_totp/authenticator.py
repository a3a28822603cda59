"""What an authenticator app knows, and how it gets to know it. The one module that touches pyotp and segno."""

from __future__ import annotations

import hmac
import io
from dataclasses import dataclass, field
from typing import Final

import segno
from pyotp import random_base32
from pyotp.totp import TOTP

_LONGEST_LABEL: Final = 64
_SCALE: Final = 4


@dataclass(frozen=True, slots=True)
class Key:
    """A shared secret (base32), and how codes are made of it (RFC 6238, SHA-1, which every app knows)."""

    secret: str = field(repr=False)
    digits: int = 6
    period: int = 30

    @classmethod
    def make(cls, digits: int, period: int) -> Key:
        """Make up a secret of 160 bits."""
        return cls(random_base32(), digits, period)

    def steps(self, code: str, now: int, window: int) -> list[int]:
        """The time steps around `now` (ms) that have this code: `code` is of ASCII."""
        totp = TOTP(self.secret, digits=self.digits, interval=self.period)
        present = now // 1_000 // self.period
        around = range(max(0, present - window), present + window + 1)
        return [step for step in around if hmac.compare_digest(totp.generate_otp(step), code)]

    def uri(self, issuer: str, account: str) -> str:
        """Write the address that authenticators read (`otpauth://`)."""
        totp = TOTP(self.secret, digits=self.digits, interval=self.period, issuer=issuer, name=account[:_LONGEST_LABEL])
        return totp.provisioning_uri()


def picture(uri: str) -> str:
    """Draw an address as a QR code: a PNG as `data:` address, for the `src` of an image."""
    return _drawn(uri).png_data_uri(scale=_SCALE)


def in_characters(uri: str) -> str:
    """Draw an address as a QR code for a terminal."""
    out = io.StringIO()
    _drawn(uri).terminal(out, compact=True)
    return out.getvalue()


def _drawn(uri: str) -> segno.QRCode:
    return segno.make_qr(uri, error="l")
