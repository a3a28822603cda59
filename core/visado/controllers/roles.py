"""`security`: roles, for administrators."""

from __future__ import annotations

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
from visado.security.rights.profiles import Profiles
from visado.security.rights.roles import Roles
from visado.settings.loading import Settings
from visado.settings.sections import LimitsSection
from visado.storage.query import Page, Query


class RolesController(Controller):
    """Roles: lists of allowed actions. Profiles have roles."""

    name = "security"

    def __init__(
        self, roles: Roles, profiles: Profiles, mappings: Mappings, searches: Searches, settings: Settings
    ) -> None:
        self._roles, self._profiles, self._mappings = roles, profiles, mappings
        self._searches, self._write_count = searches, settings[LimitsSection].write_count

    @action(get("/roles/:_id"), cacheable=True)
    async def get_role(self, request: Request, id: Id) -> DocumentResult:
        """Return a role."""
        return format_document(id, self._roles.find(id))

    @action(get("/roles/_mapping"))
    async def get_role_mapping(self, request: Request) -> MappingResult:
        """Return the mapping of roles: the declared types of their members."""
        return {"mapping": await self._mappings.get("roles")}

    @action(put("/roles/_mapping"))
    async def update_role_mapping(self, request: Request, body: Body) -> UpdatedMappingResult:
        """Add members to the mapping of roles.

        The body contains `properties`. Searches work without a mapping; the host stores it for other tools.
        """
        return await self._mappings.update("roles", body)

    @action(post("/roles/:_id/_create"), example={"controllers": {"auth": {"actions": {"*": True}}}})
    async def create_role(self, request: Request, id: Id, body: Body, force: Flag = False) -> DocumentResult:
        """Create a role.

        The body contains `controllers`: the actions of each controller, with true or false. The name `*` stands for
        every controller or action. With `force`, the role may name unknown controllers.
        """
        return format_document(id, await self._roles.create(id, body, force=force))

    @action(put("/roles/:_id"))
    async def create_or_replace_role(self, request: Request, id: Id, body: Body, force: Flag = False) -> DocumentResult:
        """Create a role, or replace an existing one.

        The body contains `controllers`: the actions of each controller, with true or false. The name `*` stands for
        every controller or action. With `force`, the role may name unknown controllers.
        """
        return format_document(id, await self._roles.replace(id, body, force=force))

    @action(put("/roles/:_id/_update"))
    async def update_role(
        self, request: Request, id: Id, body: Body, force: Flag = False, retry_on_conflict: Integer = 10
    ) -> DocumentResult:
        """Replace an existing role with the body.

        The body contains `controllers`: the actions of each controller, with true or false. The name `*` stands for
        every controller or action. With `force`, the role may name unknown controllers. `retryOnConflict` has no
        effect: updates do not conflict.
        """
        return format_document(id, await self._roles.update(id, body, force=force))

    @action(delete("/roles/:_id"))
    async def delete_role(self, request: Request, id: Id) -> DeletedResult:
        """Delete a role. A role that a profile uses is not deleted."""
        await self._delete(id)
        return {"_id": id}

    async def _delete(self, role: str) -> None:
        await self._roles.delete(role, used=self._profiles.uses_role(role))

    @action(post("/roles/_mDelete"))
    async def m_delete_roles(self, request: Request, ids: BodyTexts) -> NamesResult:
        """Delete several roles by their `ids`, and return the ids of the deleted roles.

        A role that a profile uses is not deleted.
        """
        return await delete_many(ids, self._write_count, self._delete)

    @action(post("/roles/_mGet"))
    async def m_get_roles(self, request: Request, ids: BodyTexts) -> HitsResult:
        """Return several roles by their `ids`. All of them must exist."""
        return {"hits": [format_document(each, self._roles.find(each)) for each in ids]}

    @action(post("/roles/_search"))
    async def search_roles(
        self, request: Request, from_: Integer = 0, size: Integer | None = None, lang: Text = "elasticsearch"
    ) -> SearchResult:
        """Search roles by any member.

        The body may contain `query`, in the language `lang` (`elasticsearch` or `koncorde`), and `sort`. `from` is the
        number of matches to skip and `size` the number of matches to return. The body may contain `controllers`, a list
        of controllers, to find roles that name one of them; it then contains no `query`.
        """
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
        return await self._searches.page("roles", lambda each: self._with_controllers(controllers, each), query)

    async def _with_controllers(self, controllers: list[str], query: Query) -> Page:
        page = await self._roles.search(Query(query.where, query.sort))
        hits = [hit for hit in page.hits if not {*hit[1]["controllers"]}.isdisjoint([*controllers, "*"])]
        return Page(hits[query.offset : query.offset + (query.limit or len(hits))], len(hits))
