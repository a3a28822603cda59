"""`security`: profiles."""

from __future__ import annotations

from dataclasses import replace

from visado import errors
from visado.arguments import Body, BodyTexts, Flag, Id, Integer, Text
from visado.codec import are_texts
from visado.controller import Controller, action, delete, get, post, put
from visado.controllers import results
from visado.request import Request
from visado.search.cursors import Searches, delete_all
from visado.search.mappings import Mappings
from visado.security.documents import shown
from visado.security.rights import rights
from visado.security.rights.profiles import Profiles
from visado.security.users.users import Users
from visado.settings.loading import Settings
from visado.settings.sections import LimitsSection
from visado.storage.query import And, OneOf


class ProfilesController(Controller):
    """Profiles: policies over roles, which users have."""

    name = "security"

    def __init__(
        self, profiles: Profiles, users: Users, mappings: Mappings, searches: Searches, settings: Settings
    ) -> None:
        self._profiles, self._users, self._mappings = profiles, users, mappings
        self._searches, self._write_count = searches, settings[LimitsSection].write_count

    @action(get("/profiles/:_id"), cacheable=True)
    async def get_profile(self, request: Request, id: Id) -> results.Document:
        """Show a profile."""
        return shown(id, self._profiles.find(id))

    @action(get("/profiles/:_id/_rights"), cacheable=True)
    async def get_profile_rights(self, request: Request, id: Id) -> results.Found:
        """List the rights that a profile gives."""
        self._profiles.find(id)
        return rights.listing(self._profiles.policies([id]))

    @action(get("/profiles/_mapping"))
    async def get_profile_mapping(self, request: Request) -> results.Mapping:
        """Show the declared fields of profiles."""
        return {"mapping": await self._mappings.get("profiles")}

    @action(put("/profiles/_mapping"))
    async def update_profile_mapping(self, request: Request, body: Body) -> results.ChangedMapping:
        """Declare fields of profiles."""
        return await self._mappings.update("profiles", body)

    @action(post("/profiles/:_id/_create"), example={"policies": [{"roleId": "default"}]})
    async def create_profile(self, request: Request, id: Id, body: Body, strict: Flag = False) -> results.Document:
        """Make a profile; with `strict`, its restrictions name only what the settings declare."""
        _check_policies(body)
        return shown(id, await self._profiles.create(id, body, strict=strict))

    @action(put("/profiles/:_id"))
    async def create_or_replace_profile(
        self, request: Request, id: Id, body: Body, strict: Flag = False
    ) -> results.Document:
        """Make a profile, or put another in its place."""
        _check_policies(body)
        return shown(id, await self._profiles.replace(id, body, strict=strict))

    @action(put("/profiles/:_id/_update"))
    async def update_profile(
        self, request: Request, id: Id, body: Body, strict: Flag = False, retry_on_conflict: Integer = 10
    ) -> results.Document:
        """Change members of a profile."""
        return shown(id, await self._profiles.update(id, body, strict=strict))

    @action(delete("/profiles/:_id"))
    async def delete_profile(self, request: Request, id: Id, on_assigned_users: Text = "fail") -> results.Deleted:
        """Forget a profile that nobody has, or with `onAssignedUsers=remove` take it from those who have it."""
        await self._delete(id, remove=on_assigned_users == "remove")
        return {"_id": id}

    async def _delete(self, profile: str, *, remove: bool = False) -> None:
        self._profiles.check_deletable(profile)
        for user_id in await self._users.with_profile(profile, limit=None if remove else 1):
            if not remove:
                raise errors.ProfileInUse
            await self._users.leave_profile(user_id, profile)
        await self._profiles.delete(profile)

    @action(post("/profiles/_mDelete"))
    async def m_delete_profiles(self, request: Request, ids: BodyTexts) -> results.Names:
        """Forget several profiles that nobody has."""
        return await delete_all(ids, self._write_count, self._delete)

    @action(post("/profiles/_mGet"))
    async def m_get_profiles(self, request: Request, ids: BodyTexts) -> results.Hits:
        """Show several profiles, which must all exist."""
        return {"hits": [shown(each, self._profiles.find(each)) for each in ids]}

    @action(post("/profiles/_search"))
    async def search_profiles(
        self,
        request: Request,
        from_: Integer = 0,
        size: Integer | None = None,
        lang: Text = "elasticsearch",
        scroll: Text | None = None,
    ) -> results.Found:
        """Search profiles by any field, or list those that hold one of `roles`."""
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
    async def scroll_profiles(self, request: Request, scroll_id: Text) -> results.Found:
        """Go on with a search of profiles."""
        return await self._searches.scroll("profiles", self._profiles.search, scroll_id)


def _check_policies(body: Body) -> None:
    if body.get("policies") is None:
        raise errors.MissingArgument(argument="body.policies")
