"""Passwords that everybody tries first: what the strict preset refuses."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Final

_FILE: Final = "common-passwords.txt.gz"  # where it comes from: see NOTICE
_SHORTEST_PART: Final = 4
_SHORTEST_WORD: Final = 3
_LEAST_BESIDE: Final = 8


@cache
def common_passwords() -> frozenset[str]:
    """The commonest passwords, in small letters."""
    packed = files("visado_local").joinpath(_FILE).read_bytes()
    return frozenset(gzip.decompress(packed).decode().split("\n"))


def is_common(password: str, words: Iterable[str] = ()) -> bool:
    """Whether the password is easy to guess, whatever its case.

    It is a common one, one repeated, two of them joined, a pattern of a few characters repeated, or one of
    `words` (the user's name, the product's) with little beside it.
    """
    text = password.casefold()
    named = {word.casefold() for word in words if word}

    def known(part: str) -> bool:
        return part in named or part in common_passwords()

    unit = _unit(text)
    if known(text) or known(unit) or len(unit) <= _SHORTEST_PART < len(text):
        return True
    if any(known(text[:cut]) and known(text[cut:]) for cut in range(_SHORTEST_PART, len(text) - 3)):
        return True
    return any(
        len(text.replace(word, "")) < min(_LEAST_BESIDE, len(text)) for word in named if len(word) >= _SHORTEST_WORD
    )


def _unit(text: str) -> str:
    """The shortest start that gives the text when it is repeated, the last time perhaps in part."""
    for size in range(1, len(text) // 2 + 1):
        if text.startswith(text[size:]) and text[size:]:
            return text[:size]
    return text
