"""visado, an authentication host: the public names, for plugins and applications.

Every name that `__all__` does not list is internal and may change without notice.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import pluggy

if TYPE_CHECKING:
    from visado import errors, events
    from visado.app import create_app, lifespan
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
    from visado.controller import ANYBODY, Controller, action, delete, get, post, put
    from visado.events import Event, Observer
    from visado.hookspecs import Commands
    from visado.host import (
        AddedStrategies,
        Clock,
        Credentials,
        Events,
        Host,
        Identities,
        Logins,
        Strategies,
        Tokens,
        Users,
    )
    from visado.login_check import Accept, Decision, Login, LoginCheck
    from visado.request import ANONYMOUS, Connection, Fields, Request, Token, User, current_request
    from visado.response import Reply
    from visado.sealing import Sealer
    from visado.settings.durations import Lifetime, Milliseconds, Seconds, parse_duration
    from visado.settings.loading import Section, Settings
    from visado.settings.secret_files import read_secret
    from visado.settings.sections import SecuritySection, ServerSection, StorageSection
    from visado.storage.protocol import Collection, DocumentExists, DocumentMissing, Storage, StorageError
    from visado.storage.query import Page, Query
    from visado.strategy import (
        AccountRules,
        Actor,
        Challenge,
        Fail,
        Identity,
        KeepsCredentials,
        Outcome,
        Pass,
        Redirect,
        Strategy,
        StrategyKind,
        Success,
    )
    from visado.token_verifier import TokenVerifier, Verified

__all__ = [
    "ANONYMOUS",
    "ANYBODY",
    "Accept",
    "AccountRules",
    "Actor",
    "AddedStrategies",
    "Body",
    "BodyAny",
    "BodyArray",
    "BodyObject",
    "BodyText",
    "BodyTexts",
    "Challenge",
    "Clock",
    "Collection",
    "Commands",
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
    "Identities",
    "Identity",
    "Integer",
    "KeepsCredentials",
    "Lifetime",
    "List",
    "Login",
    "LoginCheck",
    "Logins",
    "Milliseconds",
    "Observer",
    "Outcome",
    "Page",
    "Pass",
    "Query",
    "Redirect",
    "Reply",
    "Request",
    "Sealer",
    "Seconds",
    "Section",
    "SecuritySection",
    "ServerSection",
    "Settings",
    "Storage",
    "StorageError",
    "StorageSection",
    "Strategies",
    "Strategy",
    "StrategyKind",
    "Success",
    "Text",
    "Token",
    "TokenVerifier",
    "Tokens",
    "User",
    "Users",
    "Verified",
    "action",
    "create_app",
    "current_request",
    "delete",
    "errors",
    "events",
    "get",
    "hookimpl",
    "lifespan",
    "parse_duration",
    "post",
    "put",
    "read_secret",
]

hookimpl = pluggy.HookimplMarker("visado")
"""Marks a function of a plugin as the implementation of a hook of `visado.hookspecs`."""

_SUBMODULES: Final = ("errors", "events")
_HOMES: Final = (
    "request",
    "response",
    "events",
    "controller",
    "arguments",
    "strategy",
    "login_check",
    "token_verifier",
    "host",
    "sealing",
    "storage.protocol",
    "storage.query",
    "settings.loading",
    "settings.sections",
    "settings.durations",
    "settings.secret_files",
    "hookspecs",
    "app",
)
"""The modules from which the public names are taken, at their first use: `visado --help` needs none of them."""


def __getattr__(name: str) -> Any:
    """Import a public name. Raises `AttributeError` for any other name."""
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    if name in __all__:
        for home in _HOMES:
            members = vars(import_module(f"{__name__}.{home}"))
            if name in members:
                globals()[name] = members[name]
                return members[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
