"""Mappings: what clients may declare of the fields of users, profiles and roles.

Every field can be searched without one; they are kept for the tools that read and write them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from visado import errors
from visado.codec import is_object
from visado.request import Fields
from visado.storage.protocol import Collection, Storage

COLLECTION: Final = "mappings"
_KEYWORD: Final = {"type": "keyword"}
_DATE: Final = {"type": "date"}
_INFO: Final = {"properties": {"author": _KEYWORD, "createdAt": _DATE, "updater": _KEYWORD, "updatedAt": _DATE}}
_RESTRICTIONS: Final = {"type": "nested", "properties": {"index": _KEYWORD, "collections": _KEYWORD}}
_GIVEN: Final[Mapping[str, Fields]] = {
    "users": {"profileIds": _KEYWORD},
    "profiles": {
        "tags": _KEYWORD,
        "policies": {"properties": {"roleId": _KEYWORD, "restrictedTo": _RESTRICTIONS}},
    },
    "roles": {"tags": _KEYWORD, "controllers": {"dynamic": "false", "properties": {}}},
}
_KEYS: Final = frozenset({"properties", "dynamic", "_meta", "dynamic_templates"})
_TYPES: Final = frozenset(
    "alias binary boolean byte completion date date_nanos date_range dense_vector double double_range flattened float "
    "float_range geo_point geo_shape half_float integer integer_range ip ip_range keyword long long_range nested "
    "object percolator point rank_feature rank_features scaled_float search_as_you_type shape short text "
    "token_count unsigned_long version wildcard constant_keyword match_only_text".split()
)
_DEEPEST: Final = 20


class Mappings:
    """The declared fields of the three collections."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        storage.declare(Collection(COLLECTION))

    async def get(self, collection: str) -> Fields:
        """The declared fields, without those of the note."""
        kept = await self._storage.get(COLLECTION, collection)
        return {**_GIVEN[collection], **(kept["properties"] if kept else {})}

    async def update(self, collection: str, body: Fields) -> Fields:
        """Declare more fields; a field keeps its type. Raises `InvalidMapping`, `SearchRefused`."""
        for key in body:
            if key not in _KEYS:
                raise errors.InvalidMapping(property=key, suggestion="")
        properties = body.get("properties", {})
        if not is_object(properties):
            raise errors.InvalidType(argument="body.properties", expected="object")
        dynamic = body.get("dynamic")
        if dynamic is not None and not isinstance(dynamic, (str, bool)):
            raise errors.InvalidType(argument="body.dynamic", expected="string")
        before = await self._storage.get(COLLECTION, collection) or {}
        merged = _merge(await self.get(collection), properties, "", 0)
        shown = str(dynamic).lower() if dynamic is not None else before.get("dynamic", "false")
        document = {"dynamic": shown, "properties": merged} | ({"_meta": body["_meta"]} if "_meta" in body else {})
        if not before:
            await self._storage.create(COLLECTION, collection, document)
        else:
            await self._storage.update(COLLECTION, collection, lambda _: document)
        return {**document, "properties": {**merged, "_kuzzle_info": _INFO}}


def _merge(before: Fields, after: Fields, path: str, depth: int) -> Fields:
    if depth > _DEEPEST:
        raise errors.SearchRefused(cause="the mapping is too deep")
    merged = dict(before)
    for field, declared in after.items():
        place = f"{path}{field}"
        if not is_object(declared):
            raise errors.SearchRefused(cause=f"Expected map for property [{place}]")
        merged[field] = _field(before.get(field), declared, place, depth)
    return merged


def _field(before: Any, declared: Fields, place: str, depth: int) -> Fields:
    kind = declared.get("type", "object" if "properties" in declared else None)
    if kind is None:
        raise errors.SearchRefused(cause=f"No type specified for field [{place}]")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise errors.SearchRefused(cause=f"No handler for type [{kind}] declared on field [{place}]")
    present: Fields = before or {}
    present_kind = present.get("type", "object" if "properties" in present else kind)
    if present_kind != kind:
        raise errors.SearchRefused(cause=f"mapper [{place}] cannot be changed from type [{present_kind}] to [{kind}]")
    inner = declared.get("properties")
    if inner is None:
        return {**present, **declared}
    if not is_object(inner):
        raise errors.SearchRefused(cause=f"Expected map for the properties of [{place}]")
    known = present.get("properties", {})
    return {**present, **declared, "properties": _merge(known, inner, f"{place}.", depth + 1)}
