from __future__ import annotations

import pytest

from tests.core.zoo import Aviary, Zoo
from visado.controller import ActionTable, Controller, action, get
from visado.errors import ActionNotFound, ControllerNotFound
from visado.request import Request
from visado.response import Reply


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


class Reports(Controller):
    name = "reports"

    @action(get("/report"), media_type="text/csv")
    async def show(self, request: Request) -> str:
        """Return a report."""
        return "a,b"


def test_a_plain_result_of_an_action_with_a_media_type_is_sent_without_the_envelope():
    show = ActionTable([Reports()]).find("reports", "show")
    reply = show.reply("a,b")
    assert (reply.result, reply.raw, reply.headers) == ("a,b", True, {"Content-Type": "text/csv"})
    own = Reply("no")
    assert show.reply(own) is own
