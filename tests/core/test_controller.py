from __future__ import annotations

import pytest

from visado.arguments import Text
from visado.controller import ActionTable, Controller, action, delete, get, post, put
from visado.errors import ActionNotFound, ControllerNotFound
from visado.request import Request
from visado.web.routes import Routes


class Zoo(Controller):
    name = "zoo"

    @action(get("/zoo/:animal"), post("/zoo", listed=False))
    async def m_get_animals(self, request: Request, animal: Text = "all") -> str:
        """Show animals.

        All of them.
        """
        return animal

    @action(get("/zoo/_all"))
    async def all_(self, request: Request) -> None:
        """Show all."""

    @action(put("/zoo/:animal/:cage"), delete("/zoo/:animal/:cage"))
    async def move(self, request: Request) -> None:
        """Move."""

    async def helper(self) -> None:
        """No action."""


class Aviary(Controller):
    name = "zoo"

    @action(get("/aviary"))
    async def birds(self, request: Request) -> None:
        """Show birds."""


def test_names_order_and_documentation_come_from_the_methods():
    table = ActionTable([Zoo(), Aviary()])
    assert [each.id for each in table] == ["zoo:mGetAnimals", "zoo:all", "zoo:move", "zoo:birds"]
    assert table.find("zoo", "mGetAnimals").doc.startswith("Show animals.")
    assert "zoo" in table
    assert table.names("zoo") == {"mGetAnimals", "all", "move", "birds"}


def test_an_unknown_name_says_what_is_unknown():
    table = ActionTable([Zoo()])
    for controller, name, error in [
        ("Zoo", "all", ControllerNotFound),
        ("zoo\0", "all", ControllerNotFound),
        ("__class__", "all", ControllerNotFound),
        ("*", "*", ControllerNotFound),
        ("zoo", "helper", ActionNotFound),
        ("zoo", "all_", ActionNotFound),
        ("zoo", "ALL", ActionNotFound),
        ("zoo", "__init__", ActionNotFound),
        ("zoo", "*", ActionNotFound),
    ]:
        with pytest.raises(error):
            table.find(controller, name)


def test_one_action_or_one_route_declared_twice_is_refused_naming_both():
    class Second(Controller):
        name = "zoo"

        @action(get("/else"))
        async def birds(self, request: Request) -> None:
            """Show birds."""

    class Third(Controller):
        name = "else"

        @action(get("/aviary"))
        async def birds(self, request: Request) -> None:
            """Show birds."""

    with pytest.raises(ValueError, match=r"zoo:birds is declared by .*Aviary.birds and by .*Second.birds"):
        ActionTable([Aviary(), Second()])
    with pytest.raises(ValueError, match=r"GET /aviary is a route of .*Aviary.birds and of .*Third.birds"):
        ActionTable([Aviary(), Third()])


@pytest.mark.parametrize(
    ("verb", "path", "found"),
    [
        ("GET", b"/zoo/lion", ("mGetAnimals", {"animal": "lion"})), ("GET", b"/zoo/lion/", ("mGetAnimals", {"animal": "lion"})),
        ("GET", b"/zoo/_all", ("all", {})), ("POST", b"/zoo", ("mGetAnimals", {})), ("POST", b"/zoo/", ("mGetAnimals", {})),
        ("PUT", b"/zoo/a/b", ("move", {"animal": "a"})), ("GET", b"/zoo/a%2Fb", ("mGetAnimals", {"animal": "a/b"})),
        ("GET", b"/zoo/a+b", ("mGetAnimals", {"animal": "a+b"})), ("GET", b"/zoo/%C3%A9", ("mGetAnimals", {"animal": "é"})),
        ("GET", b"/zoo/%5Fall", ("all", {})), ("GET", b"/zoo", None), ("GET", b"/zoo//", None), ("GET", b"//zoo/lion", None),
        ("GET", b"/zoo//lion", None), ("GET", b"/zoo/lion//", None), ("GET", b"/ZOO/lion", None), ("GET", b"/zoo/%ff", None),
        ("GET", b"/aviary/../zoo/lion", None), ("GET", b"/%2e%2e/zoo/lion", None), ("GET", b"/zoo/../aviary", None),
        ("DELETE", b"/zoo/_all/b", None), ("GET", b"/zoo/:animal", ("mGetAnimals", {"animal": ":animal"})),
        ("GET", b"zoo/lion", ("mGetAnimals", {"animal": "lion"})), ("GET", b"", None), ("GET", b"/", None),
    ],
)  # fmt: skip
def test_paths_lead_to_one_action_or_nowhere(verb, path, found):
    answer = Routes(ActionTable([Zoo(), Aviary()])).find(verb, path)
    if found is None:
        assert answer is None
    else:
        assert answer is not None
        assert answer[0].name == found[0]
        assert found[1].items() <= answer[1].items()


def test_unlisted_routes_work_but_are_not_shown():
    shown = ActionTable([Zoo()]).public()["zoo"]["mGetAnimals"]
    assert shown["http"] == [{"path": "/zoo/:animal", "url": "/zoo/:animal", "verb": "GET"}]
