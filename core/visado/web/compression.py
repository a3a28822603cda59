"""Compression of response bodies, as `Accept-Encoding` asks for it."""

from __future__ import annotations

import zlib
from typing import Final

_MIN_COMPRESSED_BYTES: Final = 1_024
_DEFAULT_QUALITY: Final = 0.001
"""Weight of an encoding without a `q`: the reference server ranks it below every encoding that has one."""


def compress(body: bytes, accepted: str) -> tuple[bytes, bytes]:
    """Return the body, compressed if that is worth it, and its `Content-Encoding`.

    `accepted` is the `Accept-Encoding` header. The highest `q` wins; gzip wins a tie.
    """
    if len(body) < _MIN_COMPRESSED_BYTES or not accepted:
        return body, b"identity"
    encoding = _preferred(accepted)
    if encoding == "identity":
        return body, b"identity"
    compressor = zlib.compressobj(6, wbits=zlib.MAX_WBITS | 16 if encoding == "gzip" else zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush(), encoding.encode()


def _preferred(accepted: str) -> str:
    best, best_quality = "identity", -1.0
    for entry in accepted.lower().split(","):
        name, *options = (part.strip() for part in entry.split(";"))
        if name not in ("gzip", "deflate"):
            continue
        try:
            quality = next((float(option[2:]) for option in options if option.startswith("q=")), _DEFAULT_QUALITY)
        except ValueError:
            quality = 0.0
        if quality > 0 and (quality > best_quality or (quality == best_quality and name == "gzip")):
            best, best_quality = name, quality
    return best
