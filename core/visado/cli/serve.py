"""`visado serve`: run the host."""

from __future__ import annotations

import argparse
from typing import Any

from visado.cli import options


def add_parser(commands: Any) -> None:
    """Add the command and its options. An option of `[server]` is also named in `building.SERVER_OPTIONS`."""
    parser = commands.add_parser("serve", help="run the host", allow_abbrev=False)
    parser.add_argument("--host", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="the port to listen on (default: 7512)")
    options.add_settings_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the host until it receives a signal to stop; return the exit code."""
    from visado.cli import serving  # noqa: PLC0415 - imports the whole host

    return serving.run(arguments)
