"""The errors."""

from __future__ import annotations

from visado import errors


class KeysUnavailable(errors.Unavailable, id="jwt.keys.unavailable"):
    """The keys of the issuer cannot be read, and the token's key is not among those that were read before."""

    message = "The keys of the token's issuer cannot be read at the moment."
