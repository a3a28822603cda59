"""The action table as an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any, Final, get_args, get_origin

from pydantic import TypeAdapter

from visado.arguments import Parameter, Place
from visado.controller import Action, ActionTable, Route
from visado.request import Fields

_PLACEHOLDER: Final = re.compile(r":(\w+)")
_ERRORS: Final = {
    "206": "Some of it was done: the answer holds both a result and an error.",
    "400": "The request is wrong; the error's id says how.",
    "401": "Log in first, or again: the token is missing, invalid or expired.",
    "403": "The user may not do this.",
    "404": "There is no such thing.",
    "412": "The state of things forbids it.",
    "413": "The request, or the page asked for, is too large.",
    "429": "Too often.",
    "500": "The host or a plugin failed; its log says why.",
    "502": "Somebody whom the host asked answered nonsense.",
    "503": "Not now; try again.",
    "504": "Somebody whom the host asked did not answer in time.",
}
_ERROR_SCHEMA: Final[Fields] = {
    "type": "object",
    "required": ["message", "status", "id", "code", "props"],
    "properties": {
        "id": {"type": "string", "description": "What happened: stable, for programs."},
        "code": {"type": "integer", "description": "The id as a number."},
        "message": {"type": "string", "description": "What happened, for people."},
        "props": {"type": "array", "items": {}, "description": "The values in the message."},
        "status": {"type": "integer"},
        "count": {"type": "integer"},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Error"}},
        "resetToken": {"type": "string"},
    },
}
_ENVELOPE: Final[Fields] = {
    "type": "object",
    "required": ["action", "controller", "error", "headers", "node", "requestId", "status", "volatile"],
    "properties": {
        "action": {"type": ["string", "null"]},
        "controller": {"type": ["string", "null"]},
        "collection": {},
        "error": {"anyOf": [{"$ref": "#/components/schemas/Error"}, {"type": "null"}]},
        "headers": {"type": "object"},
        "index": {},
        "node": {"type": "string"},
        "requestId": {},
        "result": {},
        "status": {"type": "integer"},
        "volatile": {"type": ["object", "null"]},
    },
}
_RAW: Final = {"server:openapi": "application/json", "server:metrics": "text/plain"}
"""What answers without an envelope, and as what."""
_EXAMPLES: Final[dict[str, Fields]] = {
    "auth:login": {"username": "melis", "password": "password"},
    "auth:checkToken": {"token": "kauth-eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.s"},
    "auth:checkRights": {"controller": "auth", "action": "getCurrentUser"},
    "auth:createApiKey": {"description": "the build server"},
    "security:createApiKey": {"description": "the build server"},
    "security:createUser": {
        "content": {"profileIds": ["default"]},
        "credentials": {"local": {"username": "melis", "password": "password"}},
    },
    "security:createFirstAdmin": {
        "content": {},
        "credentials": {"local": {"username": "admin", "password": "password"}},
    },
    "security:createRole": {"controllers": {"auth": {"actions": {"*": True}}}},
    "security:createProfile": {"policies": [{"roleId": "default"}]},
    "security:searchUsers": {"query": {"term": {"profileIds": "default"}}, "sort": [{"_id": "asc"}]},
}


def document(table: ActionTable) -> Fields:
    """Describe every route of the table; operation ids are unique, a second route gets a number."""
    paths: dict[str, Fields] = {}
    for action in table:
        for rank, route in enumerate(action.routes):
            place = paths.setdefault(_PLACEHOLDER.sub(r"{\1}", route.path), {})
            place[route.verb.lower()] = _operation(action, route, rank)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "visado",
            "version": version("visado"),
            "description": "The authentication host: users, credentials, tokens, rights.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
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
    summary, _, rest = action.doc.partition("\n")
    names = _PLACEHOLDER.findall(route.path)
    operation: Fields = {
        "operationId": f"{action.controller}.{action.name}" + (f".{rank + 1}" if rank else ""),
        "summary": summary,
        "tags": [action.controller],
        "parameters": [_parameter(each, names) for each in action.parameters if each.place is Place.ARGS],
        "responses": {"200": _answer("Done.", _result(action)), **_refusals()},
    }
    if action.id == "auth:login":
        operation["responses"]["302"] = _answer("Ask there: a strategy sends the browser on.")
    if action.id in _RAW:
        operation["responses"]["200"] = {"description": "Done.", "content": {_RAW[action.id]: {"schema": {}}}}
    # A placeholder that no parameter reads is still part of the path.
    declared = {each["name"] for each in operation["parameters"]}
    for name in names:
        if name not in declared:
            path: Fields = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            operation["parameters"].append(path)
    if rest.strip():
        operation["description"] = " ".join(rest.split())
    if route.deprecated:
        operation["deprecated"] = True
    if action.extension:
        operation["x-visado-extension"] = True
    if route.verb in ("POST", "PUT"):
        operation["requestBody"] = _body(action)
    return operation


def _parameter(each: Parameter, path_names: list[str]) -> Fields:
    in_path = each.wire in path_names
    return {
        "name": each.wire,
        "in": "path" if in_path else "query",
        "required": in_path or (each.required and bool(path_names) and in_path),
        "schema": each.kind.schema,
    }


def _body(action: Action) -> Fields:
    members = [each for each in action.parameters if each.place is Place.BODY]
    whole = any(each.place is Place.WHOLE and each.required for each in action.parameters)
    required = [each.wire for each in members if each.required]
    schema: Fields = {"type": "object", "properties": {each.wire: each.kind.schema for each in members}}
    if required:
        schema["required"] = required
    media: Fields = {"schema": schema}
    if action.id in _EXAMPLES:
        media["example"] = _EXAMPLES[action.id]
    return {"required": whole or bool(required), "content": {"application/json": media}}


def _result(action: Action) -> Fields:
    shape: Any = action.returns
    if get_origin(shape) is None and shape in (Any, None):
        return {}
    arguments = get_args(shape)
    if len(arguments) > 1:
        shape = arguments[1]
    return {} if shape is Any else TypeAdapter[Any](shape).json_schema()


def _answer(text: str, result: Fields | None = None) -> Fields:
    schema: Fields = {"$ref": "#/components/schemas/Envelope"}
    if result is not None:
        schema = {"allOf": [schema], "properties": {"result": result}}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _refusals() -> Fields:
    either: Fields = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Envelope", "Error")]}
    content = {"application/json": {"schema": either}}
    return {status: {"description": text, "content": content} for status, text in _ERRORS.items()}
