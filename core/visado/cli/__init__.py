"""The command line: serve the host, look at it, and run any action as a command.

Owns the words of the command line. Every room is imported only when its command is used, so that `--help`
is quick.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from visado.cli import options

_EPILOG = """\
Any action is a command too, for a host that is running:
  visado auth:login -a strategy=local --body '{username: "melis", password: "password"}'
  visado security:getUser --id melis --username admin --password ...
  visado auth:login --help      says what the action takes
"""
_KINDS = {
    "strategy": "a way to log in (the default)",
    "storage": "a storage for the host's documents",
    "observer": "told what happens",
    "login-check": "asked between a login and its token",
    "pages": "pages beside the API",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 0 done, 1 refused or failed, 2 wrong usage or settings."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in words if not word.startswith("-")), "")
    if ":" in command and command != "admin:create" and words[0] == command:
        from visado.cli import client, plugin_commands  # noqa: PLC0415 - only what the command needs

        return _run(lambda: client.run(words) if (done := plugin_commands.run(words)) is None else done)
    parsed = _parser().parse_args(words)
    return _run(lambda: parsed.run(parsed))


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


def _parser() -> argparse.ArgumentParser:
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
    _add_new_plugin(commands.add_parser("new-plugin", help="make a package of a plugin, with tests, ready to publish"))
    return parser


def _add_new_plugin(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_make_plugin)
    parser.add_argument("name", metavar="NAME", help="name of the plugin: NAME makes the package visado-NAME")
    kinds = parser.add_mutually_exclusive_group()
    for kind, says in _KINDS.items():
        kinds.add_argument(f"--{kind}", dest="kind", action="store_const", const=kind, help=says)
    parser.set_defaults(kind="strategy")
    parser.add_argument("--into", type=Path, default=Path(), metavar="FOLDER", help="folder to make it in (here)")
    parser.add_argument(
        "--license", choices=("Apache-2.0", "MIT"), default="Apache-2.0", help="its license (Apache-2.0)"
    )


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


def _make_plugin(parsed: argparse.Namespace) -> int:
    from visado_kit import new_plugin  # noqa: PLC0415

    return new_plugin.run(parsed)


def _create_admin(parsed: argparse.Namespace) -> int:
    from visado.cli import client  # noqa: PLC0415

    return client.create_admin(parsed)
