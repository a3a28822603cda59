"""The command of visado-ldap."""

from __future__ import annotations

import argparse
from typing import Any

from visado import Settings


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("ldap:check", help="ask a directory step by step, and explain what fails")
    parser.add_argument("name", nargs="?", help="the directory; all of them if absent")
    parser.add_argument("--username", help="look this user up, and ask for the password to log in with")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Ask the directories of the settings; return the exit code."""
    from visado_ldap import check

    return check.run(arguments, settings)
