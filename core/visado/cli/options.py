"""The options and the exit codes that several commands share."""

from __future__ import annotations

import argparse
import os
from typing import Any, Final

EXIT_FAILED: Final = 1
"""The command was refused or failed."""
EXIT_USAGE: Final = 2
"""The command was called with wrong arguments, or the settings are wrong."""
DEFAULT_URL: Final = "http://127.0.0.1:7512"
PROTOCOLS: Final = ("http", "websocket")


def add_url_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the URL of a running host and the protocol. Environment variables give their defaults."""
    _add_url_group(parser)


def _add_url_group(parser: argparse.ArgumentParser) -> Any:
    group = parser.add_argument_group("connection")
    group.add_argument(
        "--url",
        default=os.environ.get("VISADO_URL", DEFAULT_URL),
        help=f"the host's URL (default: VISADO_URL, or {DEFAULT_URL})",
    )
    group.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default=os.environ.get("VISADO_PROTOCOL", "http"),
        help="the protocol of the request (default: VISADO_PROTOCOL, or http)",
    )
    return group


def add_admin_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for a running host, and for the credentials of its first administrator."""
    add_url_options(parser)
    parser.add_argument(
        "--username",
        default=os.environ.get("VISADO_USERNAME"),
        help="the user name (default: VISADO_USERNAME; without it, you are asked)",
    )
    parser.add_argument(
        "--password",
        default=os.environ.get("VISADO_PASSWORD"),
        help="the password (default: VISADO_PASSWORD; without it, you are asked)",
    )


def add_connection_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for a running host, and for the user or the API key of the request."""
    group = _add_url_group(parser)
    group.add_argument(
        "--username",
        default=os.environ.get("VISADO_USERNAME"),
        help="log in as this user first, with the strategy local (default: VISADO_USERNAME)",
    )
    group.add_argument(
        "--password",
        default=os.environ.get("VISADO_PASSWORD"),
        help="the user's password (default: VISADO_PASSWORD; without it, you are asked)",
    )
    group.add_argument(
        "--api-key",
        default=os.environ.get("VISADO_API_KEY"),
        help="use this API key or token (default: VISADO_API_KEY)",
    )


def add_settings_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the files of the settings, and for the data folder."""
    group = parser.add_argument_group("settings")
    group.add_argument("--data", help="the folder of the generated secrets and the documents (default: ./visado-data)")
    group.add_argument("--config", help="the TOML file of the settings (default: ./visado.toml, if it exists)")
    group.add_argument("--secrets", help="a folder of secret files, each named after its setting: ldap__bind_password")


def action_parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of the command that runs an action, such as `auth:login`."""
    parser = argparse.ArgumentParser(prog=f"visado {name}", add_help=False, allow_abbrev=False)
    parser.add_argument(
        "body_text", nargs="?", metavar="BODY", help="the body, as JSON or JSON5; - reads it from standard input"
    )
    parser.add_argument("--body", help="the body, as an option")
    parser.add_argument("--id", help="the argument _id")
    parser.add_argument(
        "-a", "--arg", action="append", default=[], metavar="KEY=VALUE", help="an argument of the action; repeatable"
    )
    parser.add_argument("--envelope", action="store_true", help="print the whole response, not only its result")
    parser.add_argument("-h", "--help", action="store_true", help="describe the action and its arguments")
    add_connection_options(parser)
    return parser
