"""An authenticator app: it knows the URI of the QR code, and the time."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, unquote, urlsplit

from pyotp.totp import TOTP


class Phone:
    """Shows codes, each once: a test that needs several codes at once gets those of the next periods."""

    def __init__(self, uri, clock=time.time):
        address = urlsplit(uri)
        fields = {name: values[0] for name, values in parse_qs(address.query).items()}
        assert (address.scheme, address.netloc) == ("otpauth", "totp")
        self.label, self.issuer = unquote(address.path), fields["issuer"]
        self.secret = fields["secret"]
        self.period, self.digits = int(fields.get("period", 30)), int(fields.get("digits", 6))
        self._totp = TOTP(self.secret, digits=self.digits, interval=self.period)
        self._clock, self._last = clock, 0

    @property
    def step(self):
        return int(self._clock()) // self.period

    def code(self):
        """Return a code that was not shown before: the tests use wide windows."""
        self._last = max(self._last + 1, self.step - 3)
        return self.at(self._last)

    def at(self, step):
        return self._totp.generate_otp(step)

    def wrong(self):
        """Return a code that no period near the current one has."""
        right = {self.at(self.step + around) for around in range(-10, 11)}
        return next(
            code
            for code in ("1" * self.digits, "2" * self.digits, *map(str, range(345678, 345778)))
            if code not in right
        )
