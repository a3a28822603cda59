"""The rules of searches of credentials: user names only, and few keywords, so that no search reveals a hash."""

from __future__ import annotations

from typing import Final

from visado.search import SearchRules
from visado_local.errors import ForbiddenSearchField, ForbiddenSearchKeyword

SEARCH_RULES: Final = SearchRules(
    fields={"username": "_id"},
    sortable={"username": "_id", "kuid": "userId"},
    words=frozenset(
        "and bool boost equals filter in match must must_not not or order prefix query should should_not term terms "
        "value".split()
    ),
    forbidden_field=lambda name: ForbiddenSearchField(field=name),
    forbidden_word=lambda word: ForbiddenSearchKeyword(keyword=word),
)
