"""The command line: run the host, inspect it, and run any action of a running host.

Owns the commands and their options. The modules of a command are imported only when it runs, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence

from visado.cli import config, options, plugins, serve

_EXIT_INTERRUPTED = 130
_EPILOG = """\
Plugins add commands, which `visado plugins` lists:
  visado new-plugin NAME        create the package of a plugin (of visado-kit)
  visado ldap:check NAME        test a directory step by step (of visado-ldap)

Every action is a command too, for a running host:
  visado auth:login -a strategy=local --body '{username: "melis", password: "password"}'
  visado security:getUser --id melis --username admin --password ...
  visado auth:login --help      describe an action and its arguments
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 for success, 1 for a failure, 2 for wrong usage or settings."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser, own = parsers()
    if words and not words[0].startswith("-") and words[0] not in own:
        return _run(lambda: _run_other(words, parser, own))
    parsed = parser.parse_args(words)
    return _run(lambda: parsed.run(parsed))


def _run_other(words: Sequence[str], parser: argparse.ArgumentParser, own: Collection[str]) -> int:
    """Run a command of a plugin, or an action of a running host."""
    from visado.cli import added_commands, client  # noqa: PLC0415 - imported only if needed

    code = added_commands.run(words, own)
    if code is not None:
        return code
    if ":" in words[0]:
        return client.run(words)
    parser.parse_args(words)  # an unknown command: argparse prints the known ones and exits
    return options.EXIT_USAGE


def _run(command: Callable[[], int]) -> int:
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return options.EXIT_FAILED
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    return code


def parsers() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """Return the parser of visado's own commands, and the parser of each command by its name."""
    parser = argparse.ArgumentParser(
        prog="visado",
        description="visado, an authentication host.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (serve, plugins, config):
        command.add_parser(commands)
    create = commands.add_parser(
        "admin:create", help="create the first administrator of a running host, and restrict all other rights"
    )
    create.set_defaults(run=_create_admin)
    options.add_admin_options(create)
    return parser, commands.choices


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415

        print(f"visado {version('visado')}")
        parser.exit()


def _create_admin(parsed: argparse.Namespace) -> int:
    from visado.cli import client  # noqa: PLC0415

    return client.create_admin(parsed)
