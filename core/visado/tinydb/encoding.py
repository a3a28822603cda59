"""The journal row of a document, and the copy of the document that is stored in memory."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias, cast

from visado import errors
from visado.storage.protocol import Document
from visado.tinydb.frames import encode_row

_MAX_DEPTH: Final = 64

EncodedDocument: TypeAlias = tuple[bytes, Document | None]
"""A row of the journal, and the document in it; None stands for a deletion."""


def encode_document(collection: str, id: str, document: Document | None) -> EncodedDocument:
    """Write a document as JSON and read it back, so that nothing in memory is an object of the caller's.

    Raises `InvalidDocument`.
    """
    try:
        if document is None:
            return encode_row(collection, id, None), None
        _check(document, 0)
        row = encode_row(collection, id, dict(document))
        return row, _decode(row.decode())[2]
    except (TypeError, ValueError, RecursionError) as error:
        raise errors.InvalidDocument(cause=str(error)) from error


def _check(value: Any, depth: int) -> None:
    """Refuse values that a JSON encoder accepts: keys that are not text, and more depth than a reader may take."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"it is more than {_MAX_DEPTH} levels deep")
    if isinstance(value, Mapping):
        for key, item in cast("Mapping[object, Any]", value).items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is not text")
            _check(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in cast("Iterable[Any]", value):
            _check(item, depth + 1)
    elif depth == 0:
        raise TypeError("it is not an object")


def _share_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object whose keys are shared with all other objects, to save memory."""
    return {sys.intern(key): value for key, value in pairs}


_decode: Final = json.JSONDecoder(object_pairs_hook=_share_keys).decode
