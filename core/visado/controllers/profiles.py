"""`security`: profiles, for administrators."""

from __future__ import annotations

from dataclasses import replace

from visado import errors
from visado.arguments import Body, BodyTexts, Flag, Id, Integer, Text
from visado.codec import are_texts
from visado.controller import Controller, action, delete, get, post, put
from visado.controllers.result_types import (
    DeletedResult,
    DocumentResult,
    HitsResult,
    MappingResult,
    NamesResult,
    SearchResult,
    UpdatedMappingResult,
)
from visado.request import Request
from visado.search.mappings import Mappings
from visado.search.searches import Searches
from visado.security.documents import delete_many, format_document
from visado.security.rights import rights
from visado.security.rights.profiles import Profiles
from visado.security.users.users import Users
from visado.settings.loading import Settings
from visado.settings.sections import LimitsSection
from visado.storage.query import And, OneOf


class ProfilesController(Controller):
    """Profiles: lists of policies, each a role with optional restrictions. Users have profiles."""

    name = "security"

    def __init__(
        self, profiles: Profiles, users: Users, mappings: Mappings, searches: Searches, settings: Settings
    ) -> None:
        self._profiles, self._users, self._mappings = profiles, users, mappings
        self._searches, self._write_count = searches, settings[LimitsSection].write_count

    @action(get("/profiles/:_id"), cacheable=True)
    async def get_profile(self, request: Request, id: Id) -> DocumentResult:
        """Return a profile."""
        return format_document(id, self._profiles.find(id))

    @action(get("/profiles/:_id/_rights"), cacheable=True)
    async def get_profile_rights(self, request: Request, id: Id) -> SearchResult:
        """List the rights of a profile: one item for each action that its roles allow or deny."""
        self._profiles.find(id)
        return rights.list_rights(self._profiles.policies([id]))

    @action(get("/profiles/_mapping"))
    async def get_profile_mapping(self, request: Request) -> MappingResult:
        """Return the mapping of profiles: the declared types of their members."""
        return {"mapping": await self._mappings.get("profiles")}

    @action(put("/profiles/_mapping"))
    async def update_profile_mapping(self, request: Request, body: Body) -> UpdatedMappingResult:
        """Add members to the mapping of profiles.

        The body contains `properties`. Searches work without a mapping; the host stores it for other tools.
        """
        return await self._mappings.update("profiles", body)

    @action(post("/profiles/:_id/_create"), example={"policies": [{"roleId": "default"}]})
    async def create_profile(self, request: Request, id: Id, body: Body, strict: Flag = False) -> DocumentResult:
        """Create a profile.

        The body contains `policies`, and optionally `rateLimit`: the requests per second and user, 0 for any number.
        With `strict`, restrictions may only name indexes and collections that the settings declare in `[rights]`.
        """
        _check_policies(body)
        return format_document(id, await self._profiles.create(id, body, strict=strict))

    @action(put("/profiles/:_id"))
    async def create_or_replace_profile(
        self, request: Request, id: Id, body: Body, strict: Flag = False
    ) -> DocumentResult:
        """Create a profile, or replace an existing one.

        The body contains `policies`, and optionally `rateLimit`: the requests per second and user, 0 for any number.
        With `strict`, restrictions may only name indexes and collections that the settings declare in `[rights]`.
        """
        _check_policies(body)
        return format_document(id, await self._profiles.replace(id, body, strict=strict))

    @action(put("/profiles/:_id/_update"))
    async def update_profile(
        self, request: Request, id: Id, body: Body, strict: Flag = False, retry_on_conflict: Integer = 10
    ) -> DocumentResult:
        """Change members of a profile. The members in the body replace those of the profile; other members stay.

        With `strict`, restrictions may only name indexes and collections that the settings declare in `[rights]`.
        `retryOnConflict` has no effect: updates do not conflict.
        """
        return format_document(id, await self._profiles.update(id, body, strict=strict))

    @action(delete("/profiles/:_id"))
    async def delete_profile(self, request: Request, id: Id, on_assigned_users: Text = "fail") -> DeletedResult:
        """Delete a profile.

        A profile that users have is not deleted, unless `onAssignedUsers` is `remove`: those users then lose it.
        """
        await self._delete(id, remove=on_assigned_users == "remove")
        return {"_id": id}

    async def _delete(self, profile: str, *, remove: bool = False) -> None:
        self._profiles.check_deletable(profile)
        for user_id in await self._users.ids_with_profile(profile, limit=None if remove else 1):
            if not remove:
                raise errors.ProfileInUse
            await self._users.remove_profile(user_id, profile)
        await self._profiles.delete(profile)

    @action(post("/profiles/_mDelete"))
    async def m_delete_profiles(self, request: Request, ids: BodyTexts) -> NamesResult:
        """Delete several profiles by their `ids`, and return the ids of the deleted profiles.

        A profile that users have is not deleted.
        """
        return await delete_many(ids, self._write_count, self._delete)

    @action(post("/profiles/_mGet"))
    async def m_get_profiles(self, request: Request, ids: BodyTexts) -> HitsResult:
        """Return several profiles by their `ids`. All of them must exist."""
        return {"hits": [format_document(each, self._profiles.find(each)) for each in ids]}

    @action(post("/profiles/_search"))
    async def search_profiles(
        self,
        request: Request,
        from_: Integer = 0,
        size: Integer | None = None,
        lang: Text = "elasticsearch",
        scroll: Text | None = None,
    ) -> SearchResult:
        """Search profiles by any member.

        The body may contain `query`, in the language `lang` (`elasticsearch` or `koncorde`), and `sort`. `from` is the
        number of matches to skip and `size` the number of matches to return. The body may contain `roles`, a list of
        role ids, to find profiles that have one of them. With `scroll`, a duration of at most one minute such as `30s`,
        the result contains a `scrollId` with which `security:scrollProfiles` returns the next page.
        """
        fields = dict(request.fields)
        roles = fields.pop("roles", None)
        if roles is not None and not are_texts(roles):
            raise errors.InvalidType(argument="body.roles", expected="array")
        if roles is not None and "query" in fields:
            raise errors.MutuallyExclusive(first="roles", second="query")
        query = self._searches.query(fields, lang, from_, size)
        if roles:
            query = replace(query, where=And((query.where, OneOf("policies.roleId", tuple(roles)))))
        return await self._searches.page("profiles", self._profiles.search, query, scroll)

    @action(get("/profiles/_scroll/:scrollId"))
    async def scroll_profiles(self, request: Request, scroll_id: Text) -> SearchResult:
        """Return the next page of a search of profiles. `scrollId` is the cursor that the search returned.

        The cursor expires after 15 seconds without a request.
        """
        return await self._searches.scroll("profiles", self._profiles.search, scroll_id)


def _check_policies(body: Body) -> None:
    if body.get("policies") is None:
        raise errors.MissingArgument(argument="body.policies")
