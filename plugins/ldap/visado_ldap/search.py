"""The rules of a search of credentials: by user name, DN, stable id and user id, compared as whole texts."""

from __future__ import annotations

from typing import Final

from visado.search import SearchRules
from visado_ldap.errors import ForbiddenField

_FIELDS: Final = {"username": "username", "dn": "dn", "id": "_id", "kuid": "userId"}

SEARCH_RULES: Final = SearchRules(
    fields=_FIELDS,
    exact=frozenset(_FIELDS.values()),
    words=frozenset(
        "and bool equals filter in match match_all must must_not not or order prefix query should should_not term "
        "terms value".split()
    ),
    forbidden_field=lambda name: ForbiddenField(field=name, fields=", ".join(_FIELDS)),
)
