"""visado: the authentication host. The public names, for plugins and applications.

Whatever is not listed here is the host's own business and may change.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import pluggy

if TYPE_CHECKING:
    from visado import errors, events
    from visado.arguments import (
        Body,
        BodyAny,
        BodyArray,
        BodyObject,
        BodyText,
        BodyTexts,
        Duration,
        Flag,
        Id,
        Integer,
        List,
        Text,
        timespan,
    )
    from visado.checks import Accept, Challenge, Decision, Login, LoginCheck
    from visado.controller import Controller, action, delete, get, post, put
    from visado.events import Event, Observer
    from visado.query import Page, Query
    from visado.request import ANONYMOUS, Connection, Fields, Reply, Request, Token, User, current_request
    from visado.secretfile import read_secret
    from visado.sections import SecuritySection, ServerSection, StorageSection
    from visado.settings import Section, Settings
    from visado.storage import Collection, DocumentExists, DocumentMissing, Storage, StorageError
    from visado.strategy import (
        Credentials,
        Events,
        Fail,
        Logins,
        Outcome,
        Pass,
        Redirect,
        Strategy,
        StrategyKind,
        Success,
        Tokens,
        Users,
    )

__all__ = [
    "ANONYMOUS",
    "Accept",
    "Body",
    "BodyAny",
    "BodyArray",
    "BodyObject",
    "BodyText",
    "BodyTexts",
    "Challenge",
    "Collection",
    "Connection",
    "Controller",
    "Credentials",
    "Decision",
    "DocumentExists",
    "DocumentMissing",
    "Duration",
    "Event",
    "Events",
    "Fail",
    "Fields",
    "Flag",
    "Id",
    "Integer",
    "List",
    "Login",
    "LoginCheck",
    "Logins",
    "Observer",
    "Outcome",
    "Page",
    "Pass",
    "Query",
    "Redirect",
    "Reply",
    "Request",
    "Section",
    "SecuritySection",
    "ServerSection",
    "Settings",
    "Storage",
    "StorageError",
    "StorageSection",
    "Strategy",
    "StrategyKind",
    "Success",
    "Text",
    "Token",
    "Tokens",
    "User",
    "Users",
    "action",
    "current_request",
    "delete",
    "errors",
    "events",
    "get",
    "hookimpl",
    "post",
    "put",
    "read_secret",
    "timespan",
]

hookimpl = pluggy.HookimplMarker("visado")
"""Marks a hook of a plugin: see `visado.hookspecs`."""

_MODULES: Final = ("errors", "events")
_HOMES: Final = {
    "ANONYMOUS": "request",
    "Accept": "checks",
    "Body": "arguments",
    "BodyAny": "arguments",
    "BodyArray": "arguments",
    "BodyObject": "arguments",
    "BodyText": "arguments",
    "BodyTexts": "arguments",
    "Challenge": "checks",
    "Collection": "storage",
    "Connection": "request",
    "Controller": "controller",
    "Credentials": "strategy",
    "Decision": "checks",
    "DocumentExists": "storage",
    "DocumentMissing": "storage",
    "Duration": "arguments",
    "Event": "events",
    "Events": "strategy",
    "Fail": "strategy",
    "Fields": "request",
    "Flag": "arguments",
    "Id": "arguments",
    "Integer": "arguments",
    "List": "arguments",
    "Login": "checks",
    "LoginCheck": "checks",
    "Logins": "strategy",
    "Observer": "events",
    "Outcome": "strategy",
    "Page": "query",
    "Pass": "strategy",
    "Query": "query",
    "Redirect": "strategy",
    "Reply": "request",
    "Request": "request",
    "Section": "settings",
    "SecuritySection": "sections",
    "ServerSection": "sections",
    "Settings": "settings",
    "Storage": "storage",
    "StorageError": "storage",
    "StorageSection": "sections",
    "Strategy": "strategy",
    "StrategyKind": "strategy",
    "Success": "strategy",
    "Text": "arguments",
    "Token": "request",
    "Tokens": "strategy",
    "User": "request",
    "Users": "strategy",
    "action": "controller",
    "current_request": "request",
    "delete": "controller",
    "get": "controller",
    "post": "controller",
    "put": "controller",
    "read_secret": "secretfile",
    "timespan": "arguments",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and nothing else: a command line that is asked for help needs none of it."""
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
