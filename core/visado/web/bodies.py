"""Bodies over HTTP: of requests (check the headers, decompress, decode, in this order), and of responses (compress)."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from visado import codec, errors
from visado.web.request_headers import JSON, content_length

_JSON: Final = JSON.decode()
_FORM: Final = "application/x-www-form-urlencoded"
_CHARSET: Final = re.compile(r"charset=\"?([^\s;\"]+)", re.IGNORECASE)
_MAX_ENCODINGS: Final = 3
_MAX_FORM_FIELDS: Final = 1_000
_MAX_ECHOED_CHARACTERS: Final = 50
_EMPTY_BODIES: Final[tuple[Any, ...]] = (None, 0, False, "", [])
_MIN_COMPRESSED_BYTES: Final = 1_024
_DEFAULT_QUALITY: Final = 0.001
"""Weight of an encoding without a `q`: the reference server ranks it below every encoding that has one."""
# The start of a malformed body goes back to its sender, but never where it may hold a secret.
_SECRET: Final = re.compile(r"pass|secret|token|key|jwt|credential", re.IGNORECASE)


def check_headers(headers: Mapping[bytes, bytes], limit: int) -> tuple[str, list[str]]:
    """Return the media type and the content encodings of a body before a byte of it is read.

    Raises `RequestTooLarge`, `UnsupportedContent`, `UnsupportedCharset`, `TooManyEncodings`, `UnsupportedCompression`.
    """
    length = content_length(headers)
    if length is not None and length > limit:
        raise errors.RequestTooLarge
    content_type = headers.get(b"content-type", JSON).decode("latin-1")
    media_type = content_type.split(";")[0].strip().lower()
    if media_type not in (_JSON, _FORM):
        raise errors.UnsupportedContent(content_type=content_type.split(";")[0].strip())
    charset = _CHARSET.search(content_type)
    if charset is not None and charset[1].lower() != "utf-8":
        raise errors.UnsupportedCharset(charset=charset[1])
    listed = headers.get(b"content-encoding", b"").decode("latin-1")
    encodings = [name.strip().lower() for name in listed.split(",") if name.strip()]
    if len(encodings) > _MAX_ENCODINGS:
        raise errors.TooManyEncodings
    for name in encodings:
        if name not in ("gzip", "deflate", "identity"):
            raise errors.UnsupportedCompression(algorithm=name)
    return media_type, [name for name in encodings if name != "identity"]


def decompress(data: bytes, encodings: list[str], limit: int) -> bytes:
    """Undo the encodings, the last one first. Raises `RequestTooLarge` above `limit` bytes, `UnexpectedHttpError`."""
    for name in reversed(encodings):
        decompressor = zlib.decompressobj(zlib.MAX_WBITS | 16 if name == "gzip" else zlib.MAX_WBITS)
        try:
            data = decompressor.decompress(data, limit + 1)
        except zlib.error:
            raise errors.UnexpectedHttpError(cause="incorrect header check") from None
        if len(data) > limit:
            raise errors.RequestTooLarge
        if not decompressor.eof:
            raise errors.UnexpectedHttpError(cause="unexpected end of file")
    return data


def read(data: bytes, media_type: str) -> Any:
    """Decode a body; None for an empty body and for JSON that counts as empty. Raises `BodyParseFailed`."""
    if not data:
        return None
    if media_type == _FORM:
        return _read_form(data)
    try:
        value = codec.decode(data)
    except ValueError:
        raise errors.BodyParseFailed(start=_start_of(data)) from None
    return None if any(value is each or value == each for each in _EMPTY_BODIES) else value


def _read_form(data: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(data.decode(), keep_blank_values=True, max_num_fields=_MAX_FORM_FIELDS, errors="strict")
    except ValueError:
        raise errors.BodyParseFailed(start="") from None
    return gather(pairs)


def gather(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Make an object of names and values; the values of a name that stands twice become a list."""
    fields: dict[str, Any] = {}
    for name, text in pairs:
        if name not in fields:
            fields[name] = text
        elif isinstance(fields[name], list):
            fields[name].append(text)
        else:
            fields[name] = [fields[name], text]
    return fields


def _start_of(data: bytes) -> str:
    text = data.decode(errors="replace")
    return "" if _SECRET.search(text) else text[:_MAX_ECHOED_CHARACTERS]


def compress(body: bytes, accepted: str) -> tuple[bytes, bytes]:
    """Return the body of a response, compressed if that is worth it, and its `Content-Encoding`.

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
