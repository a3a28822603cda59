from __future__ import annotations

import re

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from visado import controller
from visado.arguments import ArgumentPlace, Body
from visado.controller import ActionTable, Controller, get, post
from visado.controllers import openapi
from visado.request import Request


@pytest.fixture
def described(play):
    async def scene(inside):
        table = list(inside.host.table)
        response = await inside.ask("server:openapi")
        assert response.reply.raw
        return table, response.reply.result

    return play(scene)


def operations(document):
    return [(path, verb, operation) for path, place in document["paths"].items() for verb, operation in place.items()]


def test_the_document_is_valid(described):
    _, document = described
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_is_an_operation_with_an_id_of_its_own(described):
    table, document = described
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids) == sum(len(action.routes) for action in table)
    for action in table:
        for route in action.routes:
            path = re.sub(r":(\w+)", r"{\1}", route.path)
            assert document["paths"][path][route.verb.lower()]["operationId"].startswith(
                f"{action.controller}.{action.name}"
            )


def test_operations_that_the_wire_contract_does_not_have_are_marked(described):
    table, document = described
    own = {operation["operationId"] for _, _, operation in operations(document) if operation.get("x-visado-extension")}
    assert own == {each.id.replace(":", ".") for each in table if each.extension and each.routes}
    assert "security.listPlugins" in own


def test_every_operation_says_what_it_takes_and_gives(described):
    _, document = described
    for path, verb, operation in operations(document):
        assert operation["summary"], path
        names = set(re.findall(r"\{(\w+)\}", path))
        assert {each["name"] for each in operation["parameters"] if each["in"] == "path"} == names, path
        assert len({(each["name"], each["in"]) for each in operation["parameters"]}) == len(operation["parameters"])
        assert "200" in operation["responses"]
        assert ("requestBody" in operation) is (verb in ("post", "put"))


def test_every_action_has_a_docstring_and_the_table_names_nothing_twice(described):
    table, _ = described
    for action in table:
        assert action.doc, action.id
        assert action.doc.splitlines()[0].endswith("."), action.id
    assert len({action.id for action in table}) == len(table)


def test_required_arguments_that_are_not_in_the_path_are_required(described):
    table, document = described
    for action in table:
        for route in action.routes:
            path = re.sub(r":(\w+)", r"{\1}", route.path)
            operation = document["paths"][path][route.verb.lower()]
            shown = {each["name"]: each for each in operation["parameters"]}
            for parameter in action.parameters:
                if parameter.place is ArgumentPlace.ARGS:
                    assert parameter.wire in shown
                if parameter.place is ArgumentPlace.ARGS and parameter.required:
                    assert shown[parameter.wire]["required"], (action.id, parameter.wire)


def test_redirects_and_raw_answers_are_described(described):
    _, document = described
    login = document["paths"]["/_login/{strategy}"]["get"]
    assert "302" in login["responses"]
    assert "text/plain" in str(document["paths"]["/_metrics"]["get"]["responses"]["200"])


def test_examples_fit_their_schemas(described):
    import jsonschema

    _, document = described
    seen = 0
    for _, _, operation in operations(document):
        media = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" in media:
            seen += 1
            jsonschema.validate(media["example"], media["schema"])
    assert seen >= 5


class Reports(Controller):
    name = "reports"

    @controller.action(get("/report"), media_type="text/csv; charset=utf-8")
    async def show(self, request: Request) -> str:
        """Return a report."""
        return "a,b"

    @controller.action(post("/report"), responses={202: "The report is written later."}, example={"month": 5})
    async def order(self, request: Request, body: Body) -> None:
        """Order a report."""


def test_an_action_of_a_plugin_declares_its_media_type_its_responses_and_its_example():
    operations = openapi.build(ActionTable([Reports()]))["paths"]["/report"]
    assert list(operations["get"]["responses"]["200"]["content"]) == ["text/csv"]
    assert operations["post"]["responses"]["202"]["description"] == "The report is written later."
    assert operations["post"]["requestBody"]["content"]["application/json"]["example"] == {"month": 5}


def test_durations_and_results_are_described(described):
    _, document = described
    login = document["paths"]["/_login/{strategy}"]["post"]
    lifetime = next(each for each in login["parameters"] if each["name"] == "expiresIn")
    assert "milliseconds" in lifetime["schema"]["description"]
    result = login["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["result"]
    assert "milliseconds" in result["properties"]["expiresAt"]["description"]
