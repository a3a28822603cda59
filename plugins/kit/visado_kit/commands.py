"""visado-kit: the kit of plugin authors, as a plugin: the command `visado new-plugin`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from visado import hookimpl
from visado.hookspecs import Commands

_KINDS: Final = {
    "strategy": "a way to log in (the default)",
    "storage": "a storage for the host's documents",
    "observer": "told what happens",
    "login-check": "asked between a login and its token",
    "pages": "pages beside the API",
}


@hookimpl
def register_commands(commands: Commands) -> None:
    """Offer `visado new-plugin`."""
    parser = commands.add_parser("new-plugin", help="make a package of a plugin, with tests, ready to publish")
    parser.add_argument("name", metavar="NAME", help="name of the plugin: NAME makes the package visado-NAME")
    kinds = parser.add_mutually_exclusive_group()
    for kind, says in _KINDS.items():
        kinds.add_argument(f"--{kind}", dest="kind", action="store_const", const=kind, help=says)
    parser.add_argument("--into", type=Path, default=Path(), metavar="FOLDER", help="folder to make it in (here)")
    parser.add_argument(
        "--license", choices=("Apache-2.0", "MIT"), default="Apache-2.0", help="its license (Apache-2.0)"
    )
