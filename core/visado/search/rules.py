"""The rules of a search: the fields and the words of the languages that it may use."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from visado import errors

_MAX_SHOWN_NAME: Final = 100

Refusal: TypeAlias = Callable[[str], errors.VisadoError]
"""Makes the error for a name that a search must not use."""


def _field_refusal(name: str) -> errors.VisadoError:
    return errors.SearchRefused(cause=f"the field [{name}] cannot be searched")


def _word_refusal(name: str) -> errors.VisadoError:
    return errors.SearchRefused(cause=f"[{name}] is not allowed in this search")


@dataclass(frozen=True, slots=True)
class SearchRules:
    """The fields and words that a search may use. The default allows every field and every word.

    fields: the fields that may be searched, by their names in a query; the values are their names in the documents.
        None allows every field under its own name.
    sortable: the same for the order; None means `fields`.
    exact: the fields of the documents of which `match` compares the whole text, and not its words.
    words: the words of the languages that may be used: clauses such as `term`, and their options such as `value`.
        None allows all.
    forbidden_field, forbidden_word: make the error to raise for another field or word.
    """

    fields: Mapping[str, str] | None = None
    sortable: Mapping[str, str] | None = None
    exact: Container[str] = ()
    words: Container[str] | None = None
    forbidden_field: Refusal = _field_refusal
    forbidden_word: Refusal = _word_refusal

    def field(self, name: str) -> str:
        """Return the field of the documents that a query calls `name`. Raises the error of `forbidden_field`."""
        return self._known(name, self.fields)

    def sort_field(self, name: str) -> str:
        """Return the field of the documents that an order calls `name`. Raises the error of `forbidden_field`."""
        return self._known(name, self.fields if self.sortable is None else self.sortable)

    def check_word(self, word: str) -> None:
        """Raise the error of `forbidden_word` unless this word may be used."""
        if self.words is not None and word not in self.words:
            raise self.forbidden_word(word[:_MAX_SHOWN_NAME])

    def _known(self, name: str, names: Mapping[str, str] | None) -> str:
        if names is None:
            return name
        field = names.get(name)
        if field is None:
            raise self.forbidden_field(name[:_MAX_SHOWN_NAME])
        return field


ALLOW_ALL: Final = SearchRules()
