"""The action table as an OpenAPI 3.1 document."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final, get_args, get_origin

from pydantic import TypeAdapter

from visado import errors
from visado.arguments import ArgumentPlace, Parameter
from visado.controller import Action, ActionTable, Route
from visado.request import Fields

_PLACEHOLDER: Final = re.compile(r":(\w+)")
_ERROR_PARENTS: Final = (
    errors.PartialFailure,
    errors.BadRequest,
    errors.Unauthorized,
    errors.Forbidden,
    errors.NotFound,
    errors.PreconditionFailed,
    errors.TooLarge,
    errors.TooManyRequests,
    errors.InternalError,
    errors.BadGateway,
    errors.Unavailable,
    errors.TimedOut,
)
"""The classes whose status any action may answer with; their docstrings describe the responses."""
_ERROR_SCHEMA: Final[Fields] = {
    "type": "object",
    "required": ["message", "status", "id", "code", "props"],
    "properties": {
        "id": {"type": "string", "description": "The error's stable identifier, for programs."},
        "code": {"type": "integer", "description": "The identifier as a number."},
        "message": {"type": "string", "description": "The error's description, for people."},
        "props": {"type": "array", "items": {}, "description": "The values in the message, in the message's order."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "count": {"type": "integer", "description": "The number of `errors`."},
        "errors": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Error"},
            "description": "The errors of the items that failed.",
        },
        "resetToken": {"type": "string", "description": "A token with which an expired password can be replaced."},
    },
}
_ENVELOPE: Final[Fields] = {
    "type": "object",
    "required": ["action", "controller", "error", "headers", "node", "requestId", "status", "volatile"],
    "properties": {
        "action": {"type": ["string", "null"], "description": "The requested action, if it could be read."},
        "controller": {"type": ["string", "null"], "description": "The requested controller, if it could be read."},
        "collection": {"description": "The request's argument `collection`, if it has one."},
        "error": {
            "anyOf": [{"$ref": "#/components/schemas/Error"}, {"type": "null"}],
            "description": "The error, or null.",
        },
        "headers": {"type": "object", "description": "The headers that the action has set."},
        "index": {"description": "The request's argument `index`, if it has one."},
        "node": {"type": "string", "description": "The name of the running host."},
        "requestId": {"description": "The request's identifier, chosen by the client or by the host."},
        "result": {"description": "The action's result."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "volatile": {"type": ["object", "null"], "description": "The request's `volatile` data, unchanged."},
    },
}


class OpenApi:
    """The OpenAPI document of the action table. It is built at the first request, and anew when plugins were switched.

    `table` returns the table, which does not exist yet when the controllers are built.
    """

    def __init__(self, table: Callable[[], ActionTable]) -> None:
        self._table = table
        self._unavailable: frozenset[str] | None = None
        self._document: Fields = {}

    def document(self) -> Fields:
        """Return the document."""
        table = self._table()
        unavailable = frozenset(table.unavailable)
        if unavailable != self._unavailable:
            self._document, self._unavailable = build(table), unavailable
        return self._document


def build(table: ActionTable) -> Fields:
    """Describe every route of the table. The operation ids of an action's further routes end with a number."""
    paths: dict[str, Fields] = {}
    for action in table:
        for rank, route in enumerate(action.routes):
            operations = paths.setdefault(_PLACEHOLDER.sub(r"{\1}", route.path), {})
            operations[route.verb.lower()] = _operation(action, route, rank)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "visado",
            "version": version("visado"),
            "description": "An authentication server: users, credentials, tokens and rights.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{}, {"bearer": []}, {"cookie": []}],
        "tags": [{"name": name} for name in sorted({action.controller for action in table})],
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR_SCHEMA, "Envelope": _ENVELOPE},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "authToken"},
            },
        },
    }


def _operation(action: Action, route: Route, rank: int) -> Fields:
    summary, _, description = action.doc.partition("\n")
    operation: Fields = {
        "operationId": f"{action.controller}.{action.name}" + (f".{rank + 1}" if rank else ""),
        "summary": summary,
        "tags": [action.controller],
        "parameters": _parameters(action, _PLACEHOLDER.findall(route.path)),
        "responses": _responses(action),
    }
    if description.strip():
        operation["description"] = description.strip()
    if route.deprecated:
        operation["deprecated"] = True
    if action.extension:
        operation["x-visado-extension"] = True
    if route.verb in ("POST", "PUT"):
        operation["requestBody"] = _body(action)
    return operation


def _parameters(action: Action, path_names: list[str]) -> list[Fields]:
    described = [_parameter(each, path_names) for each in action.parameters if each.place is ArgumentPlace.ARGS]
    declared = {each["name"] for each in described}
    unread = [name for name in path_names if name not in declared]  # still a part of the path
    return described + [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in unread]


def _parameter(each: Parameter, path_names: list[str]) -> Fields:
    in_path = each.wire in path_names
    return {
        "name": each.wire,
        "in": "path" if in_path else "query",
        "required": in_path or each.required,
        "schema": each.type.schema,
    }


def _body(action: Action) -> Fields:
    members = [each for each in action.parameters if each.place is ArgumentPlace.BODY]
    whole = any(each.place is ArgumentPlace.WHOLE and each.required for each in action.parameters)
    required = [each.wire for each in members if each.required]
    schema: Fields = {"type": "object", "properties": {each.wire: each.type.schema for each in members}}
    if required:
        schema["required"] = required
    media: Fields = {"schema": schema}
    if action.example is not None:
        media["example"] = action.example
    return {"required": whole or bool(required), "content": {"application/json": media}}


def _responses(action: Action) -> Fields:
    success = _response("The action succeeded.", _result(action))
    if action.media_type is not None:  # such a result has no envelope
        success["content"] = {action.media_type.partition(";")[0]: {"schema": {}}}
    return {
        "200": success,
        **{str(status): _response(text) for status, text in action.responses.items()},
        **_ERROR_RESPONSES,
    }


def _result(action: Action) -> Fields:
    """Return the JSON schema of the action's return type: for `Annotated[Any, Shape]`, the schema of `Shape`."""
    shape: Any = action.returns
    if get_origin(shape) is None and shape in (Any, None):
        return {}
    arguments = get_args(shape)
    if len(arguments) > 1:
        shape = arguments[1]
    return {} if shape is Any else TypeAdapter[Any](shape).json_schema()


def _response(description: str, result: Fields | None = None) -> Fields:
    schema: Fields = {"$ref": "#/components/schemas/Envelope"}
    if result is not None:
        schema = {"allOf": [schema], "properties": {"result": result}}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _error_response(parent: type[errors.VisadoError]) -> Fields:
    schema: Fields = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Envelope", "Error")]}
    description = " ".join(inspect.cleandoc(parent.__doc__ or HTTPStatus(parent.status).phrase).split())
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_ERROR_RESPONSES: Final[Fields] = {str(parent.status): _error_response(parent) for parent in _ERROR_PARENTS}
