"""`security`: roles."""

from __future__ import annotations

from visado import errors
from visado.arguments import Body, BodyTexts, Flag, Id, Integer, Text
from visado.codec import are_texts
from visado.controller import Controller, action, delete, get, post, put
from visado.controllers import results
from visado.request import Request
from visado.search.cursors import Searches, delete_all
from visado.search.mappings import Mappings
from visado.security.documents import shown
from visado.security.rights.profiles import Profiles
from visado.security.rights.roles import Roles
from visado.settings.loading import Settings
from visado.settings.sections import LimitsSection
from visado.storage.query import Page, Query


class RolesController(Controller):
    """Roles: which actions they allow."""

    name = "security"

    def __init__(
        self, roles: Roles, profiles: Profiles, mappings: Mappings, searches: Searches, settings: Settings
    ) -> None:
        self._roles, self._profiles, self._mappings = roles, profiles, mappings
        self._searches, self._write_count = searches, settings[LimitsSection].write_count

    @action(get("/roles/:_id"), cacheable=True)
    async def get_role(self, request: Request, id: Id) -> results.Document:
        """Show a role."""
        return shown(id, self._roles.find(id))

    @action(get("/roles/_mapping"))
    async def get_role_mapping(self, request: Request) -> results.Mapping:
        """Show the declared fields of roles."""
        return {"mapping": await self._mappings.get("roles")}

    @action(put("/roles/_mapping"))
    async def update_role_mapping(self, request: Request, body: Body) -> results.ChangedMapping:
        """Declare fields of roles."""
        return await self._mappings.update("roles", body)

    @action(post("/roles/:_id/_create"), example={"controllers": {"auth": {"actions": {"*": True}}}})
    async def create_role(self, request: Request, id: Id, body: Body, force: Flag = False) -> results.Document:
        """Make a role; `force` lets it name controllers that nobody knows yet."""
        return shown(id, await self._roles.create(id, body, force=force))

    @action(put("/roles/:_id"))
    async def create_or_replace_role(
        self, request: Request, id: Id, body: Body, force: Flag = False
    ) -> results.Document:
        """Make a role, or put another in its place."""
        return shown(id, await self._roles.replace(id, body, force=force))

    @action(put("/roles/:_id/_update"))
    async def update_role(
        self, request: Request, id: Id, body: Body, force: Flag = False, retry_on_conflict: Integer = 10
    ) -> results.Document:
        """Put another role in the place of one that exists."""
        return shown(id, await self._roles.update(id, body, force=force))

    @action(delete("/roles/:_id"))
    async def delete_role(self, request: Request, id: Id) -> results.Deleted:
        """Forget a role that no profile uses."""
        await self._delete(id)
        return {"_id": id}

    async def _delete(self, role: str) -> None:
        await self._roles.delete(role, used=self._profiles.using(role))

    @action(post("/roles/_mDelete"))
    async def m_delete_roles(self, request: Request, ids: BodyTexts) -> results.Names:
        """Forget several roles."""
        return await delete_all(ids, self._write_count, self._delete)

    @action(post("/roles/_mGet"))
    async def m_get_roles(self, request: Request, ids: BodyTexts) -> results.Hits:
        """Show several roles, which must all exist."""
        return {"hits": [shown(each, self._roles.find(each)) for each in ids]}

    @action(post("/roles/_search"))
    async def search_roles(
        self, request: Request, from_: Integer = 0, size: Integer | None = None, lang: Text = "elasticsearch"
    ) -> results.Found:
        """Search roles by any field, or list those that name one of `controllers`."""
        fields = dict(request.fields)
        controllers = fields.pop("controllers", None)
        if controllers is None:
            return await self._searches.page(
                "roles", self._roles.search, self._searches.query(fields, lang, from_, size)
            )
        if not are_texts(controllers):
            raise errors.InvalidType(argument="body.controllers", expected="array")
        if "query" in fields:
            raise errors.MutuallyExclusive(first="controllers", second="query")
        query = self._searches.query(fields, lang, from_, size)
        return await self._searches.page("roles", lambda asked: self._naming(controllers, asked), query)

    async def _naming(self, controllers: list[str], query: Query) -> Page:
        everything = await self._roles.search(Query(query.where, query.sort))
        hits = [hit for hit in everything.hits if not {*hit[1]["controllers"]}.isdisjoint([*controllers, "*"])]
        return Page(hits[query.offset : query.offset + (query.limit or len(hits))], len(hits))
