"""The command `visado ldap:check`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from visado import Settings

if TYPE_CHECKING:
    from visado import Commands


def register(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("ldap:check", help="test a directory step by step, and explain what fails")
    parser.add_argument("name", nargs="?", help="the directory; default: all directories")
    parser.add_argument("--username", help="search this user too, and ask for the password to log in with")
    parser.set_defaults(run=check)


def check(arguments: argparse.Namespace, settings: Settings) -> int:
    """Test the directories of the settings, and return the exit code."""
    from visado_ldap import diagnosis

    return diagnosis.run(arguments, settings)
