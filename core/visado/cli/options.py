"""What the commands that talk to a running host have in common."""

from __future__ import annotations

import argparse
import os
from typing import Any

URL = "http://127.0.0.1:7512"
PROTOCOLS = ("http", "websocket")


def place_of_host(parser: argparse.ArgumentParser) -> Any:
    """Add the options that say which host, and how to talk to it. Each is an environment variable, too."""
    group = parser.add_argument_group("connection")
    group.add_argument(
        "--url", default=os.environ.get("VISADO_URL", URL), help=f"address of the host ({URL}; VISADO_URL)"
    )
    group.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default=os.environ.get("VISADO_PROTOCOL", "http"),
        help="how to talk to it (http; VISADO_PROTOCOL)",
    )
    return group


def connection(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which host, and who asks."""
    group = place_of_host(parser)
    group.add_argument(
        "--username",
        default=os.environ.get("VISADO_USERNAME"),
        help="log in first, by the strategy local (VISADO_USERNAME)",
    )
    group.add_argument("--password", default=os.environ.get("VISADO_PASSWORD"), help="its password (VISADO_PASSWORD)")
    group.add_argument("--api-key", default=os.environ.get("VISADO_API_KEY"), help="use an API key (VISADO_API_KEY)")


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where settings and data are."""
    group = parser.add_argument_group("settings")
    group.add_argument("--data", help="folder for the secret and the documents (./visado-data)")
    group.add_argument("--config", help="settings in TOML (./visado.toml, if there is one)")
    group.add_argument("--secrets", help="folder of secret files, each named as its setting: ldap__bind_password")


def action(name: str) -> argparse.ArgumentParser:
    """Make the parser of a command that is an action."""
    parser = argparse.ArgumentParser(prog=f"visado {name}", add_help=False, allow_abbrev=False)
    parser.add_argument(
        "body_text", nargs="?", metavar="BODY", help="the body, as relaxed JSON; - reads standard input"
    )
    parser.add_argument("--body", help="the same, as an option")
    parser.add_argument("--id", help="the argument _id")
    parser.add_argument(
        "-a", "--arg", action="append", default=[], metavar="KEY=VALUE", help="an argument; may be repeated"
    )
    parser.add_argument("--envelope", action="store_true", help="print the whole answer, not its result alone")
    parser.add_argument("-h", "--help", action="store_true", help="say what the action takes")
    connection(parser)
    return parser
