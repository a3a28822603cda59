"""Mappings: the types that clients declare for the fields of users, profiles and roles.

The host needs none of them, since every field can be searched. They are stored for the tools that read and write them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from visado import errors
from visado.codec import is_object
from visado.request import Fields
from visado.storage.protocol import Collection, Storage

COLLECTION: Final = "mappings"
_KEYWORD: Final = {"type": "keyword"}
_DATE: Final = {"type": "date"}
_METADATA: Final = {"properties": {"author": _KEYWORD, "createdAt": _DATE, "updater": _KEYWORD, "updatedAt": _DATE}}
_RESTRICTIONS: Final = {"type": "nested", "properties": {"index": _KEYWORD, "collections": _KEYWORD}}
_BUILT_IN: Final[Mapping[str, Fields]] = {
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
_MAX_DEPTH: Final = 20


class Mappings:
    """The mappings of the three collections."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        storage.declare(Collection(COLLECTION))

    async def get(self, collection: str) -> Fields:
        """Return the properties of a mapping, without those of the metadata."""
        stored = await self._storage.get(COLLECTION, collection)
        return {**_BUILT_IN[collection], **(stored["properties"] if stored else {})}

    async def update(self, collection: str, body: Fields) -> Fields:
        """Add properties to a mapping, and return the mapping. The type of a property cannot be changed.

        Raises `InvalidMapping`, `InvalidType`, `SearchRefused`.
        """
        for key in body:
            if key not in _KEYS:
                raise errors.InvalidMapping(property=key, suggestion="")
        properties = body.get("properties", {})
        if not is_object(properties):
            raise errors.InvalidType(argument="body.properties", expected="object")
        dynamic = body.get("dynamic")
        if dynamic is not None and not isinstance(dynamic, (str, bool)):
            raise errors.InvalidType(argument="body.dynamic", expected="string")
        stored = await self._storage.get(COLLECTION, collection) or {}
        merged = _merge(await self.get(collection), properties, "", 0)
        mapping: Fields = {
            "dynamic": str(dynamic).lower() if dynamic is not None else stored.get("dynamic", "false"),
            "properties": merged,
        }
        if "_meta" in body:
            mapping["_meta"] = body["_meta"]
        if not stored:
            await self._storage.create(COLLECTION, collection, mapping)
        else:
            await self._storage.update(COLLECTION, collection, lambda _: mapping)
        return {**mapping, "properties": {**merged, "_kuzzle_info": _METADATA}}


def _merge(declared: Fields, added: Fields, prefix: str, depth: int) -> Fields:
    if depth > _MAX_DEPTH:
        raise errors.SearchRefused(cause="the mapping is too deep")
    merged = dict(declared)
    for name, field in added.items():
        path = f"{prefix}{name}"
        if not is_object(field):
            raise errors.SearchRefused(cause=f"Expected map for property [{path}]")
        merged[name] = _merge_field(declared.get(name) or {}, field, path, depth)
    return merged


def _merge_field(declared: Fields, added: Fields, path: str, depth: int) -> Fields:
    kind = added.get("type", "object" if "properties" in added else None)
    if kind is None:
        raise errors.SearchRefused(cause=f"No type specified for field [{path}]")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise errors.SearchRefused(cause=f"No handler for type [{kind}] declared on field [{path}]")
    declared_kind = declared.get("type", "object" if "properties" in declared else kind)
    if declared_kind != kind:
        raise errors.SearchRefused(cause=f"mapper [{path}] cannot be changed from type [{declared_kind}] to [{kind}]")
    inner = added.get("properties")
    if inner is None:
        return {**declared, **added}
    if not is_object(inner):
        raise errors.SearchRefused(cause=f"Expected map for the properties of [{path}]")
    return {**declared, **added, "properties": _merge(declared.get("properties", {}), inner, f"{path}.", depth + 1)}
