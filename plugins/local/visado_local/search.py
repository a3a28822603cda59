"""What a search of credentials may use: user names alone, and few words, so that no hash is guessed piece by piece."""

from __future__ import annotations

from typing import Final

from visado.search import SearchRules
from visado_local.errors import ForbiddenField, ForbiddenKeyword

SEARCH_RULES: Final = SearchRules(
    fields={"username": "_id"},
    sortable={"username": "_id", "kuid": "userId"},
    words=frozenset(
        "and bool boost equals filter in match must must_not not or order prefix query should should_not term terms "
        "value".split()
    ),
    forbidden_field=lambda name: ForbiddenField(field=name),
    forbidden_word=lambda word: ForbiddenKeyword(keyword=word),
)
