"""`security`: users, for administrators."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Literal

from visado import errors
from visado.arguments import TEXTS, ArgumentPlace, Body, BodyObject, BodyTexts, Id, Integer, List, Text
from visado.controller import Controller, action, delete, get, post, put
from visado.controllers.result_types import (
    AllowedResult,
    DeletedResult,
    DocumentResult,
    EmptyResult,
    HitsResult,
    MappingResult,
    NamesResult,
    SearchResult,
    StrategiesResult,
    UpdatedMappingResult,
)
from visado.kuzzle import is_allowed
from visado.request import Fields, Request, User
from visado.search.mappings import Mappings
from visado.search.searches import Searches
from visado.security.access import Access
from visado.security.accounts import Accounts
from visado.security.documents import delete_many, format_document, format_hit
from visado.security.rights import rights
from visado.security.strategies.strategy_credentials import StrategyCredentials
from visado.settings.loading import Settings
from visado.settings.sections import LimitsSection, SecuritySection
from visado.strategy import Actor


class UsersController(Controller):
    """Users, their rights and their tokens."""

    name = "security"

    def __init__(
        self,
        access: Access,
        accounts: Accounts,
        credentials: StrategyCredentials,
        mappings: Mappings,
        searches: Searches,
        settings: Settings,
    ) -> None:
        self._users, self._profiles, self._tokens = access.users, access.profiles, access.tokens
        self._accounts, self._credentials = accounts, credentials
        self._mappings, self._searches = mappings, searches
        self._restricted_profile_ids = settings[SecuritySection].restricted_profile_ids
        self._write_count = settings[LimitsSection].write_count

    # -- one user

    @action(get("/users/:_id"), cacheable=True)
    async def get_user(self, request: Request, id: Id) -> DocumentResult:
        """Return a user."""
        user = await self._users.find(id)
        return format_document(user.id, user.content)

    @action(get("/users/:_id/_strategies"), cacheable=True)
    async def get_user_strategies(self, request: Request, id: Id) -> StrategiesResult:
        """List the strategies with which a user can log in."""
        strategies = await self._credentials.strategies_of(await self._users.find(id))
        return {"strategies": strategies, "total": len(strategies)}

    @action(get("/users/:_id/_rights"), cacheable=True)
    async def get_user_rights(self, request: Request, id: Id) -> SearchResult:
        """List the rights of a user: one item for each action that the user's roles allow or deny."""
        user = await self._users.find(id)
        return rights.list_rights(self._profiles.policies(user.profile_ids))

    @action(post("/_checkRights/:userId"), example={"controller": "auth", "action": "getCurrentUser"})
    async def check_rights(self, request: Request, user_id: Id, body: Body) -> AllowedResult:
        """Return whether a user may send the request that is in the body."""
        user = await self._users.find(user_id)
        return {"allowed": is_allowed(body, request, self._profiles.rights(user).allows)}

    @action(delete("/users/:_id/tokens"))
    async def revoke_tokens(self, request: Request, id: Id) -> EmptyResult:
        """Revoke every token of a user. API keys stay valid."""
        await self._tokens.revoke_all(id)

    # -- create, change, delete

    @action(
        post("/users/_create"),
        post("/users/:_id/_create"),
        example={
            "content": {"profileIds": ["default"]},
            "credentials": {"local": {"username": "melis", "password": "password"}},
        },
    )
    async def create_user(
        self,
        request: Request,
        content: BodyObject,
        credentials: BodyObject | None = None,
        id: Id | None = None,
        kuid: Text = "human",
    ) -> DocumentResult:
        """Create a user and its credentials, all of them or nothing.

        `content` contains `profileIds` and any further members. `credentials` contains the credentials by strategy.
        `_id` is chosen by the host if the request has none: a readable id, or with `kuid=uuid` a UUID.
        """
        user = await self._accounts.create(content, credentials or {}, _administrator(request), id, id_style(kuid))
        return format_document(user.id, user.content)

    @action(post("/users/_createRestricted"), post("/users/:_id/_createRestricted"))
    async def create_restricted_user(
        self,
        request: Request,
        content: BodyObject | None = None,
        credentials: BodyObject | None = None,
        id: Id | None = None,
        kuid: Text = "human",
    ) -> DocumentResult:
        """Create a user with the profiles of the setting `security.restricted_profile_ids`.

        `content` contains any members except `profileIds`. `credentials` contains the credentials by strategy.
        `_id` is chosen by the host if the request has none: a readable id, or with `kuid=uuid` a UUID.
        """
        members = without_profiles(content) | {"profileIds": self._restricted_profile_ids}
        user = await self._accounts.create(members, credentials or {}, Actor("stranger", request), id, id_style(kuid))
        return format_document(user.id, user.content)

    @action(post("/users/:_id/_upsert"))
    async def upsert_user(
        self,
        request: Request,
        id: Id,
        content: BodyObject,
        default: BodyObject | None = None,
        credentials: BodyObject | None = None,
    ) -> DocumentResult:
        """Change members of a user, or create the user if it does not exist.

        `content` contains `profileIds` and the members to change. A new user also gets the members in `default` that
        `content` lacks, and the `credentials` by strategy.
        """
        if "profileIds" not in content:
            raise errors.MissingArgument(argument="body.content.profileIds")
        user: User | None = None
        if await self._users.get(id) is None:
            with suppress(errors.UserExists):  # another request created it meanwhile
                by = _administrator(request)
                user = await self._accounts.create((default or {}) | content, credentials or {}, by, id)
        if user is None:
            user = await self._users.merge(id, content, request.user.id)
        return format_document(user.id, user.content)

    @action(put("/users/:_id/_update"))
    async def update_user(
        self, request: Request, id: Id, body: Body, retry_on_conflict: Integer = 10
    ) -> DocumentResult:
        """Change members of a user. The members in the body replace those of the user; other members stay.

        `retryOnConflict` has no effect: updates do not conflict.
        """
        user = await self._users.merge(id, body, request.user.id)
        return format_document(user.id, user.content)

    @action(put("/users/:_id/_replace"))
    async def replace_user(self, request: Request, id: Id, body: Body) -> DocumentResult:
        """Replace all members of a user with those in the body, which contains `profileIds`. Credentials stay."""
        user = await self._users.replace(id, body, request.user.id)
        return format_document(user.id, user.content)

    @action(delete("/users/:_id"))
    async def delete_user(self, request: Request, id: Id) -> DeletedResult:
        """Delete a user and its credentials, tokens and API keys."""
        await self._accounts.delete(id, _administrator(request))
        return {"_id": id}

    # -- several users

    @action(get("/users/_mGet"), post("/users/_mGet"))
    async def m_get_users(
        self,
        request: Request,
        body_ids: Annotated[list[str] | None, TEXTS, ArgumentPlace.BODY, "ids"] = None,
        ids: List | None = None,
    ) -> HitsResult:
        """Return several users by their `ids`. Users that do not exist are omitted."""
        wanted = body_ids if body_ids is not None else ids
        if not wanted:
            raise errors.MissingArgument(argument="ids")
        users = [await self._users.get(each) for each in wanted]
        return {
            "hits": [format_hit(user.id, user.content) for user in users if user is not None and not user.anonymous]
        }

    @action(post("/users/_mDelete"))
    async def m_delete_users(self, request: Request, ids: BodyTexts) -> NamesResult:
        """Delete several users by their `ids`, with their credentials, tokens and API keys.

        Return the ids of the deleted users.
        """
        by = _administrator(request)
        return await delete_many(ids, self._write_count, lambda each: self._accounts.delete(each, by))

    @action(post("/users/_search"), example={"query": {"term": {"profileIds": "default"}}, "sort": [{"_id": "asc"}]})
    async def search_users(
        self,
        request: Request,
        from_: Integer = 0,
        size: Integer | None = None,
        lang: Text = "elasticsearch",
        scroll: Text | None = None,
    ) -> SearchResult:
        """Search users by any member.

        The body may contain `query`, in the language `lang` (`elasticsearch` or `koncorde`), and `sort`. `from` is the
        number of matches to skip and `size` the number of matches to return. With `scroll`, a duration of at most
        one minute such as `30s`, the result contains a `scrollId` with which `security:scrollUsers` returns the next
        page.
        """
        query = self._searches.query(request.fields, lang, from_, size)
        return await self._searches.page("users", self._users.search, query, scroll)

    @action(get("/users/_scroll/:scrollId"))
    async def scroll_users(self, request: Request, scroll_id: Text) -> SearchResult:
        """Return the next page of a search of users. `scrollId` is the cursor that the search returned.

        The cursor expires after 15 seconds without a request.
        """
        return await self._searches.scroll("users", self._users.search, scroll_id)

    # -- mappings

    @action(get("/users/_mapping"))
    async def get_user_mapping(self, request: Request) -> MappingResult:
        """Return the mapping of users: the declared types of their members."""
        return {"mapping": await self._mappings.get("users")}

    @action(put("/users/_mapping"))
    async def update_user_mapping(self, request: Request, body: Body) -> UpdatedMappingResult:
        """Add members to the mapping of users.

        The body contains `properties`. Searches work without a mapping; the host stores it for other tools.
        """
        return await self._mappings.update("users", body)

    @action(post("/_security/:collection/_refresh"))
    async def refresh(self, request: Request, collection: Text) -> EmptyResult:
        """Do nothing: changes are visible to searches immediately. `collection` is `users`, `profiles` or `roles`."""
        if collection not in ("users", "profiles", "roles"):
            raise errors.UnexpectedArgument(argument=collection, accepted="users, profiles, roles")


def without_profiles(content: Fields | None) -> Fields:
    """Return a copy of a user's content. Raises `ForbiddenArgument` if it contains `profileIds`."""
    if content and content.get("profileIds") is not None:
        raise errors.ForbiddenArgument(argument="body.content.profileIds")
    return {**(content or {})}


def id_style(kuid: str) -> Literal["human", "uuid"]:
    """Return the style of a new user's id from the argument `kuid`; unknown values stand for `human`."""
    return "uuid" if kuid == "uuid" else "human"


def _administrator(request: Request) -> Actor:
    return Actor("administrator", request)
