"""`visado config`: check and print the settings, or a commented template of them."""

from __future__ import annotations

import argparse
import json
from typing import Any

from visado.cli import options


def add_parser(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser("config", help="check and print the settings")
    parser.add_argument(
        "--template", action="store_true", help="print a commented TOML file with every setting and its default"
    )
    options.add_settings_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check the settings and print them, with asterisks for secrets; with `--template`, print a commented template."""
    from visado.cli import template  # noqa: PLC0415 - imports pydantic
    from visado.cli.building import build_host  # noqa: PLC0415 - imports the whole host

    host = build_host(arguments)
    if isinstance(host, int):
        return host
    if arguments.template:
        print("\n".join(line for section in host.settings.classes() for line in template.lines(section.name, section)))
    else:
        print(json.dumps(host.settings.public(), indent=2))
    return 0
