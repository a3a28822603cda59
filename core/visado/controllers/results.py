"""The shapes of results, for the OpenAPI document: the code itself builds plain objects."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from typing_extensions import TypedDict


class TokenResult(TypedDict):
    _id: str
    expiresAt: int
    ttl: int
    jwt: NotRequired[str]


class CreatedToken(TypedDict):
    token: str
    expiresAt: int
    ttl: int
    singleUse: bool


class TokenState(TypedDict):
    valid: bool
    expiresAt: NotRequired[int]
    kuid: NotRequired[str]
    state: NotRequired[str]


class AcknowledgedResult(TypedDict):
    acknowledged: bool


class AllowedResult(TypedDict):
    allowed: bool


class DocumentResult(TypedDict):
    _id: str
    _source: dict[str, Any]


class CurrentUserResult(DocumentResult):
    strategies: list[str]


class DeletedResult(TypedDict):
    _id: str


class HitsResult(TypedDict):
    hits: list[dict[str, Any]]


class PageResult(HitsResult):
    total: int
    scrollId: NotRequired[str]


class StrategiesResult(TypedDict):
    strategies: list[str]
    total: int


class MappingResult(TypedDict):
    mapping: dict[str, Any]


class ChangedMappingResult(TypedDict):
    dynamic: str
    properties: dict[str, Any]


class NowResult(TypedDict):
    now: int


class ExistsResult(TypedDict):
    exists: bool


class HealthResult(TypedDict):
    status: str
    services: dict[str, str]


class InfoResult(TypedDict):
    serverInfo: dict[str, Any]


class ResetResult(TypedDict):
    deletedUsers: int
    deletedProfiles: int


class LoadedResult(TypedDict):
    acknowledge: bool


Token = Annotated[Any, TokenResult]
NewToken = Annotated[Any, CreatedToken]
Checked = Annotated[Any, TokenState]
Acknowledged = Annotated[Any, AcknowledgedResult]
Allowed = Annotated[Any, AllowedResult]
Document = Annotated[Any, DocumentResult]
CurrentUser = Annotated[Any, CurrentUserResult]
Deleted = Annotated[Any, DeletedResult]
Hits = Annotated[Any, HitsResult]
Found = Annotated[Any, PageResult]
StrategyList = Annotated[Any, StrategiesResult]
Mapping = Annotated[Any, MappingResult]
ChangedMapping = Annotated[Any, ChangedMappingResult]
Now = Annotated[Any, NowResult]
Exists = Annotated[Any, ExistsResult]
Health = Annotated[Any, HealthResult]
Info = Annotated[Any, InfoResult]
Reset = Annotated[Any, ResetResult]
Loaded = Annotated[Any, LoadedResult]
Names = Annotated[Any, list[str]]
Anything = Annotated[Any, Any]
YesNo = Annotated[Any, bool]
Object = Annotated[Any, dict[str, Any]]
Empty = Annotated[Any, None]
