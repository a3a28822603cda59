"""The command line: serve the host, look at it, and run any action as a command.

Owns the words of the command line. Every room is imported only when its command is used, so that `--help`
is quick.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence

from visado.cli import options

_USAGE = 2
_EPILOG = """\
Plugins add commands, which `visado plugins` lists:
  visado new-plugin NAME        make the package of a plugin (of visado-kit)
  visado ldap:check NAME        test a directory step by step (of visado-ldap)

Any action is a command too, for a host that is running:
  visado auth:login -a strategy=local --body '{username: "melis", password: "password"}'
  visado security:getUser --id melis --username admin --password ...
  visado auth:login --help      says what the action takes
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 0 done, 1 refused or failed, 2 wrong usage or settings."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser, own = parsers()
    if words and not words[0].startswith("-") and words[0] not in own:
        return _run(lambda: _run_other(words, parser, own))
    parsed = parser.parse_args(words)
    return _run(lambda: parsed.run(parsed))


def _run_other(words: Sequence[str], parser: argparse.ArgumentParser, own: Collection[str]) -> int:
    """Run a command of a plugin, or an action of a running host."""
    from visado.cli import client, plugin_commands  # noqa: PLC0415 - only what the command needs

    code = plugin_commands.run(words, own)
    if code is not None:
        return code
    if ":" in words[0]:
        return client.run(words)
    parser.parse_args(words)  # an unknown command: argparse says which there are, and exits
    return _USAGE


def _run(command: Callable[[], int]) -> int:
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def parsers() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """Make the parser of visado's own commands; return it, and the parser of each command by its name."""
    parser = argparse.ArgumentParser(
        prog="visado",
        description="The authentication host.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    serve = commands.add_parser("serve", help="run the host", allow_abbrev=False)
    serve.add_argument("--host", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on (7512)")
    options.add_place(serve)
    serve.set_defaults(run=_serve)
    listing = commands.add_parser("plugins", help="list the installed plugins, and why one does not work")
    options.add_place(listing)
    listing.set_defaults(run=_plugins)
    config = commands.add_parser("config", help="check the settings, or print a template of them")
    config.add_argument("--template", action="store_true", help="print every setting with its default, as TOML")
    options.add_place(config)
    config.set_defaults(run=_config)
    create = commands.add_parser("admin:create", help="make the first administrator of a running host, and close it")
    create.set_defaults(run=_create_admin)
    options.place_of_host(create)
    create.add_argument("--username", default=os.environ.get("VISADO_USERNAME"), help="user name of the administrator")
    create.add_argument(
        "--password", default=os.environ.get("VISADO_PASSWORD"), help="its password; without it, you are asked"
    )
    return parser, commands.choices


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415

        print(f"visado {version('visado')}")
        parser.exit()


def _serve(parsed: argparse.Namespace) -> int:
    from visado.cli import serve  # noqa: PLC0415

    return serve.run(parsed)


def _plugins(parsed: argparse.Namespace) -> int:
    from visado.cli import inspect  # noqa: PLC0415

    return inspect.list_plugins(parsed)


def _config(parsed: argparse.Namespace) -> int:
    from visado.cli import inspect  # noqa: PLC0415

    return inspect.show_config(parsed)


def _create_admin(parsed: argparse.Namespace) -> int:
    from visado.cli import client  # noqa: PLC0415

    return client.create_admin(parsed)
