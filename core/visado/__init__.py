"""visado: the authentication host. The public names, for plugins and applications.

Whatever is not listed here is the host's own business and may change.
"""

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

import pluggy

hookimpl = pluggy.HookimplMarker("visado")
"""Marks a hook of a plugin: see `visado.hookspecs`."""
