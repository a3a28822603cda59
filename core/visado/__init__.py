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
    )
    from visado.controller import Controller, action, delete, get, post, put
    from visado.events import Event, Observer
    from visado.host import Clock, Credentials, Events, Host, Logins, Tokens, Users
    from visado.login_check import Accept, Challenge, Decision, Login, LoginCheck
    from visado.request import ANONYMOUS, Connection, Fields, Reply, Request, Token, User, current_request
    from visado.sealing import Sealer
    from visado.settings.durations import timespan
    from visado.settings.loading import Section, Settings
    from visado.settings.secret_files import read_secret
    from visado.settings.sections import SecuritySection, ServerSection, StorageSection
    from visado.storage.protocol import Collection, DocumentExists, DocumentMissing, Storage, StorageError
    from visado.storage.query import Page, Query
    from visado.strategy import Fail, Outcome, Pass, Redirect, Strategy, StrategyKind, Success

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
    "Clock",
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
    "Host",
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
    "Sealer",
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
    "Accept": "login_check",
    "Body": "arguments",
    "BodyAny": "arguments",
    "BodyArray": "arguments",
    "BodyObject": "arguments",
    "BodyText": "arguments",
    "BodyTexts": "arguments",
    "Challenge": "login_check",
    "Clock": "host",
    "Collection": "storage.protocol",
    "Connection": "request",
    "Controller": "controller",
    "Credentials": "host",
    "Decision": "login_check",
    "DocumentExists": "storage.protocol",
    "DocumentMissing": "storage.protocol",
    "Duration": "arguments",
    "Event": "events",
    "Events": "host",
    "Fail": "strategy",
    "Fields": "request",
    "Flag": "arguments",
    "Host": "host",
    "Id": "arguments",
    "Integer": "arguments",
    "List": "arguments",
    "Login": "login_check",
    "LoginCheck": "login_check",
    "Logins": "host",
    "Observer": "events",
    "Outcome": "strategy",
    "Page": "storage.query",
    "Pass": "strategy",
    "Query": "storage.query",
    "Redirect": "strategy",
    "Reply": "request",
    "Request": "request",
    "Sealer": "sealing",
    "Section": "settings.loading",
    "SecuritySection": "settings.sections",
    "ServerSection": "settings.sections",
    "Settings": "settings.loading",
    "Storage": "storage.protocol",
    "StorageError": "storage.protocol",
    "StorageSection": "settings.sections",
    "Strategy": "strategy",
    "StrategyKind": "strategy",
    "Success": "strategy",
    "Text": "arguments",
    "Token": "request",
    "Tokens": "host",
    "User": "request",
    "Users": "host",
    "action": "controller",
    "current_request": "request",
    "delete": "controller",
    "get": "controller",
    "post": "controller",
    "put": "controller",
    "read_secret": "settings.secret_files",
    "timespan": "settings.durations",
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
