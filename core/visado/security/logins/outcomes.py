"""What a strategy may return: a plugin's types are not checked before it runs."""

from __future__ import annotations

from visado import codec
from visado.codec import is_object
from visado.request import are_header_texts
from visado.strategy import Fail, Pass, Redirect, Success


def is_outcome(value: object) -> bool:
    """Return whether a plugin returned an outcome that can be sent: header values have no line breaks."""
    match value:
        case Success():
            return are_header_texts(value.cookies) and (value.location is None or are_header_texts((value.location,)))
        case Fail():
            return are_header_texts(value.cookies)
        case Redirect():
            known = type(value.status) is int and (value.status == 200 or 300 <= value.status < 400)  # noqa: PLR2004
            return (
                known
                and are_header_texts((value.location,))
                and are_header_texts(value.cookies)
                and is_object(value.data)
                and codec.can_encode(value.data)
            )
        case _:
            return isinstance(value, Pass)
