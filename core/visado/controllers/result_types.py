"""The types of results, from which OpenAPI and the reference derive their schemas; an action returns plain objects."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

UserId = Annotated[str, Field(description="The user's id.")]
ExpiresAt = Annotated[int, Field(description="When the token expires, in milliseconds since 1970; -1: never.")]
Ttl = Annotated[int, Field(description="The token's lifetime in milliseconds; -1: for ever.")]

LoginResult = Annotated[
    Any,
    TypedDict(
        "LoginResult",
        {
            "_id": UserId,
            "expiresAt": ExpiresAt,
            "ttl": Ttl,
            "jwt": NotRequired[Annotated[str, Field(description="The token; absent when a cookie carries it.")]],
        },
    ),
]
LoginFormsResult = Annotated[
    Any,
    list[
        Annotated[
            Any,
            TypedDict(
                "LoginForm",
                {
                    "strategy": Annotated[str, Field(description="The name in `/_login/NAME`.")],
                    "title": str,
                    "icon": Annotated[str, Field(description="The address of an image; empty without one.")],
                    "form": Annotated[dict[str, Any] | None, Field(description="JSON schema of the body, or null.")],
                },
            ),
        ]
    ],
]
NewTokenResult = Annotated[
    Any,
    TypedDict(
        "NewTokenResult",
        {
            "token": Annotated[str, Field(description="The token.")],
            "expiresAt": ExpiresAt,
            "ttl": Ttl,
            "singleUse": Annotated[bool, Field(description="Whether the token is valid for one request only.")],
        },
    ),
]
TokenStateResult = Annotated[
    Any,
    TypedDict(
        "TokenStateResult",
        {
            "valid": Annotated[bool, Field(description="Whether the token is valid.")],
            "expiresAt": NotRequired[ExpiresAt],
            "kuid": NotRequired[UserId],
            "state": NotRequired[Annotated[str, Field(description="Why the token is invalid.")]],
        },
    ),
]
LogoutResult = Annotated[
    Any,
    TypedDict(
        "LogoutResult",
        {
            "acknowledged": bool,
            "location": NotRequired[
                Annotated[str, Field(description="The address at which the user logs out of an identity provider.")]
            ],
        },
    ),
]
AcknowledgedResult = Annotated[Any, TypedDict("AcknowledgedResult", {"acknowledged": bool})]
AcknowledgeResult = Annotated[Any, TypedDict("AcknowledgeResult", {"acknowledge": bool})]
AllowedResult = Annotated[Any, TypedDict("AllowedResult", {"allowed": bool})]
DocumentResult = Annotated[Any, TypedDict("DocumentResult", {"_id": str, "_source": dict[str, Any]})]
CurrentUserResult = Annotated[
    Any,
    TypedDict(
        "CurrentUserResult",
        {
            "_id": UserId,
            "_source": dict[str, Any],
            "strategies": Annotated[list[str], Field(description="The strategies with which the user can log in.")],
        },
    ),
]
DeletedResult = Annotated[Any, TypedDict("DeletedResult", {"_id": str})]
HitsResult = Annotated[Any, TypedDict("HitsResult", {"hits": list[dict[str, Any]]})]
SearchResult = Annotated[
    Any,
    TypedDict(
        "SearchResult",
        {
            "hits": list[dict[str, Any]],
            "total": Annotated[int, Field(description="The number of matches on all pages.")],
            "scrollId": NotRequired[Annotated[str, Field(description="The cursor with which the next page is read.")]],
        },
    ),
]
StrategiesResult = Annotated[Any, TypedDict("StrategiesResult", {"strategies": list[str], "total": int})]
MappingResult = Annotated[Any, TypedDict("MappingResult", {"mapping": dict[str, Any]})]
UpdatedMappingResult = Annotated[Any, TypedDict("UpdatedMappingResult", {"dynamic": str, "properties": dict[str, Any]})]
TimeResult = Annotated[
    Any, TypedDict("TimeResult", {"now": Annotated[int, Field(description="Milliseconds since 1970.")]})
]
ExistsResult = Annotated[Any, TypedDict("ExistsResult", {"exists": bool})]
HealthResult = Annotated[Any, TypedDict("HealthResult", {"status": str, "services": dict[str, str]})]
InfoResult = Annotated[Any, TypedDict("InfoResult", {"serverInfo": dict[str, Any]})]
ResetResult = Annotated[Any, TypedDict("ResetResult", {"deletedUsers": int, "deletedProfiles": int})]
NamesResult = Annotated[Any, list[str]]
BooleanResult = Annotated[Any, bool]
ObjectResult = Annotated[Any, dict[str, Any]]
EmptyResult = Annotated[Any, None]
