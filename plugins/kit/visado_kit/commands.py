"""The command `visado new-plugin`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from visado import Commands

KINDS: Final = {
    "strategy": "a way to log in, with credentials of the host's users (the default)",
    "identity": "a way to log in at a provider, which says who it is",
    "token-verifier": "tokens of another issuer, on any request",
    "storage": "a storage for the host's documents",
    "observer": "told what happens",
    "login-check": "asked between a login and its token",
    "pages": "pages beside the API",
}
LICENSES: Final = ("Apache-2.0", "MIT")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("new-plugin", help="make a package of a plugin, with tests, ready to publish")
    parser.add_argument("name", metavar="NAME", help="name of the plugin: NAME makes the package visado-NAME")
    kinds = parser.add_mutually_exclusive_group()
    for kind, text in KINDS.items():
        kinds.add_argument(f"--{kind}", dest="kind", action="store_const", const=kind, help=text)
    parser.add_argument("--into", type=Path, default=Path(), metavar="FOLDER", help="folder to make it in (here)")
    parser.add_argument("--license", choices=LICENSES, default=LICENSES[0], help=f"its license ({LICENSES[0]})")
    parser.set_defaults(kind="strategy", run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the package; return the exit code."""
    from visado_kit import new_plugin

    return new_plugin.run(arguments)
