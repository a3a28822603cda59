"""Write docs/reference/ from the code: actions, errors, events, settings, hooks and commands.

    python docs/generate.py            writes the pages
    python docs/generate.py --check    exits with 1 and names the pages that are out of date

The pages describe the host and the plugins of this workspace, and no other installed plugin. They depend on the code
only, not on the machine or the version of Python.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from importlib import import_module
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import TypeAdapter

import settings_page
from settings_page import cell, prose
from visado import app, cli, errors, events, hookspecs
from visado.arguments import ArgumentPlace, Parameter
from visado.cli import options
from visado.controller import ANYBODY, Action, ActionTable, Route
from visado.errors.base import VisadoError
from visado.plugins.discovery import GROUP
from visado.security.rights import rights, roles

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = ROOT / "docs" / "reference"
_NOTE: Final = "<!-- Generated from the code by `python docs/generate.py`: change it there. -->"


def main() -> int:
    """Write the pages, or with `--check` print the names of those that are out of date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page is out of date")
    check = parser.parse_args().check
    stale = {name: text for name, text in pages().items() if _read(PAGES / name) != text}
    if check and stale:
        sys.stderr.write(f"out of date: {', '.join(stale)}. Run: python docs/generate.py\n")
        return 1
    for name, text in stale.items():
        PAGES.mkdir(exist_ok=True)
        (PAGES / name).write_text(text, encoding="utf-8")
    return 0


def pages() -> dict[str, str]:
    """Return every page by its file's name."""
    host = _host()
    written = {
        "actions.md": _actions(host.table),
        "errors.md": _errors(),
        "events.md": _events(),
        "settings.md": settings_page.page(host.settings.classes()),
        "hooks.md": _hooks(),
        "commands.md": _commands(),
    }
    return {name: "\n".join([_NOTE, "", *lines]).rstrip("\n") + "\n" for name, lines in written.items()}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _workspace() -> list[str]:
    """Return the names of the installed distributions of this workspace."""
    manifests = [ROOT / "core" / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")]
    names = {tomllib.loads(each.read_text(encoding="utf-8"))["project"]["name"] for each in manifests}
    return sorted(names & {each.name for each in distributions()})


def _plugins() -> list[str]:
    """Return the names of the packages of this workspace's plugins."""
    return [name.replace("-", "_") for name in _workspace() if name != "visado"]


def _host() -> app.Visado:
    """Build a host with this workspace's plugins and every default setting."""
    for name in [name for name in os.environ if name.startswith("VISADO_")]:
        del os.environ[name]
    ours = _workspace()
    points = {point.name: each.name for each in distributions() for point in each.entry_points if point.group == GROUP}
    foreign = [name for name, package in points.items() if package not in ours]
    with tempfile.TemporaryDirectory() as folder:
        return app.create_app({"server": {"data": folder}, "plugins": {"disabled": foreign}})


# -- actions


def _actions(table: ActionTable) -> Iterator[str]:
    yield from ("# Actions", "")
    yield "Every action of the host and of the plugins in this repository. [The API in short](../api.md) explains"
    yield "how to call them. `GET /_openapi` of a running host returns the same descriptions as an OpenAPI 3.1"
    yield "document."
    yield ""
    yield "*Allowed for* lists the standard roles that may run an action after the first administrator was created:"
    yield "`anonymous` is the role of requests without a token, `default` the role of the profile `default`. The"
    yield "role `admin` may run every action."
    yield ""
    yield "*Where* is the place of an argument in an HTTP request. In a WebSocket message, arguments of the path"
    yield "and of the query are members beside `body`. A *duration* is a number of milliseconds, or a text such as"
    yield "`90s`, `10h` or `6d`; -1 stands for no end."
    yield ""
    yield "An *extension* is not in the wire contract: Kuzzle's clients have no method for it, and call it by its"
    yield "route or with `query`. Extensions follow visado's own [versions](../publishing.md#versions)."
    by_controller: dict[str, list[Action]] = {}
    for each in table:
        by_controller.setdefault(each.controller, []).append(each)
    for controller, found in sorted(by_controller.items()):
        yield from ("", f"## {controller}", "")
        yield ", ".join(f"[{each.name}](#{_anchor(each.id)})" for each in found)
        for each in found:
            yield from _action(each)


def _action(each: Action) -> Iterator[str]:
    yield from ("", f"### {each.id}", "", prose(each.doc), "")
    yield from (f"- {_route(route)}" for route in each.routes)
    if not each.routes:
        yield "- no route: use `POST /_query`, a WebSocket or the command line"
    if each.extension:
        yield "- an extension: not in the wire contract"
    if each.login_required:
        yield "- refuses anonymous requests"
    if each.personal:
        yield "- refuses users who act as another user"
    allowed = [
        role
        for role in ("anonymous", "default")
        if rights.role_allows(roles.RESTRICTED_ROLES[role], each.controller, each.name)
    ]
    if each.open_to == ANYBODY:
        yield "- allowed for: every client, unless `[security] closed_actions` contains it"
    elif allowed:
        yield f"- allowed for: {', '.join(allowed)}"
    yield f"- result: {_result(each)}"
    if each.parameters:
        yield from ("", "| argument | where | type | default |", "| --- | --- | --- | --- |")
        yield from (_parameter(parameter, each.routes) for parameter in each.parameters)


def _route(route: Route) -> str:
    notes = [*(["deprecated"] if route.deprecated else []), *([] if route.listed else ["not listed in `publicApi`"])]
    return f"`{route.verb} {route.path}`" + (f" ({', '.join(notes)})" if notes else "")


def _parameter(each: Parameter, routes: Iterable[Route]) -> str:
    if each.place is ArgumentPlace.WHOLE:
        return f"| *the whole body* | body | {each.type.expected} | {_default(each)} |"
    in_path = any(f":{each.wire}" in route.path.split("/") for route in routes)
    where = "body" if each.place is ArgumentPlace.BODY else ("path" if in_path else "query")
    return f"| `{each.wire}` | {where} | {each.type.expected} | {_default(each)} |"


def _default(each: Parameter) -> str:
    return "required" if each.required else f"`{json.dumps(each.default)}`"


def _result(each: Action) -> str:
    shape: Any = each.returns
    if get_origin(shape) is not None and len(get_args(shape)) > 1 and hasattr(shape, "__metadata__"):
        shape = get_args(shape)[1]
    if shape is None or shape is type(None):
        return "`null`"
    if shape is Any:
        return "see the description"
    return _shape(TypeAdapter[Any](shape).json_schema())


def _shape(schema: Mapping[str, Any]) -> str:
    """Return a short description of a JSON schema."""
    required = schema.get("required", ())
    properties = schema.get("properties")
    if properties:
        inside = (f"{name}{'' if name in required else '?'}" for name in properties)
        return f"`{{{', '.join(inside)}}}`"
    kind = schema.get("type", "any")
    if kind == "array":
        return f"a list of {schema.get('items', {}).get('type', 'value')}s"
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


# -- errors


def _errors() -> Iterator[str]:
    for package in _plugins():
        if find_spec(f"{package}.errors"):
            import_module(f"{package}.errors")
    yield from ("# Errors", "")
    yield "An error has an `id` for programs, a `message` for people, and a `status`, which is the HTTP status too."
    yield "`code` is the id as a number. `{words}` in a message stand for values, which are also in `props`. The"
    yield "[guide](../guide.md#troubleshooting-by-error-id) explains how to solve the most common errors. `class`"
    yield "is the error's class in Python, whose constructor takes the `{words}` by name, as in `raise"
    yield "errors.SubjectTaken(subject=name)`."
    packages = ("visado", *_plugins())
    ours = [each for each in errors.CATALOGUE.values() if each.__module__.partition(".")[0] in packages]
    by_domain: dict[str, list[type[VisadoError]]] = {}
    for each in sorted(ours, key=lambda each: each.id):
        by_domain.setdefault(each.id.partition(".")[0], []).append(each)
    for domain, found in by_domain.items():
        yield from ("", f"## {domain}", "", "| id | status | code | message | meaning | class |")
        yield "| --- | --- | --- | --- | --- | --- |"
        yield from map(_error, found)


def _error(each: type[VisadoError]) -> str:
    facts = (f"`{each.id}`", str(each.status), f"`0x{each.code:08x}`")
    cells = (*facts, cell(each.message), cell(prose(each.__doc__)), f"`{each.__name__}`")
    return f"| {' | '.join(cells)} |"


# -- events


def _events() -> Iterator[str]:
    yield from ("# Events", "")
    yield "The events that [observers](../hooks/register_observers.md) receive and the [audit log](../audit.md)"
    yield "records. Every event has these members; a member that does not apply is null:"
    yield ""
    yield "| member | |"
    yield "| --- | --- |"
    yield "| `event` | the event's name |"
    yield "| `at` | the time, in UTC |"
    yield "| `outcome` | `success` or `refused` |"
    yield "| `actor` | the id of the user who sent the request; null for an anonymous request and for the host itself |"
    yield "| `target` | the user or the object that the event is about |"
    yield "| `strategy` | the strategy |"
    yield "| `address` | the client's address |"
    yield "| `requestId` | the request's id |"
    yield ""
    yield "The column *more* lists the further members of an event."
    packages = ("visado", *_plugins())
    for package in packages:
        found = sorted(
            (each for each in _kinds(events.Event) if each.__module__.partition(".")[0] == package),
            key=lambda each: each.name,
        )
        if found:
            yield from ("", f"## {package.replace('_', '-')}", "", "| event | outcome | more | meaning |")
            yield "| --- | --- | --- | --- |"
            yield from map(_event, found)


def _kinds(parent: type[events.Event]) -> Iterator[type[events.Event]]:
    for each in parent.__subclasses__():
        is_named = isinstance(vars(each).get("name"), str)
        if is_named and getattr(sys.modules[each.__module__], each.__name__, None) is each:  # slots make a second one
            yield each
        yield from _kinds(each)


def _event(each: type[events.Event]) -> str:
    changes = get_args(events.Change) if issubclass(each, events.Changed) else ()
    names = ", ".join(f"`{each.name}.{change}`" for change in changes) or f"`{each.name}`"
    common = {*(field.name for field in fields(events.Event)), "change"}
    more = ", ".join(f"`{field.name}`" for field in fields(each) if field.name not in common)
    return f"| {names} | {each.outcome} | {more} | {cell(prose(each.__doc__))} |"


# -- hooks


def _hooks() -> Iterator[str]:
    yield from ("# Hooks", "")
    yield "Every hook that a plugin can implement: a function with the hook's name, any of the hook's parameters"
    yield "and the decorator `hookimpl` of `visado`. [Each hook has a page](../hooks.md) with an example."
    found = [(name, each) for name, each in vars(hookspecs).items() if hasattr(each, "visado_spec")]
    for name, each in found:
        yield from ("", f"## {name}", "", "```python signature", *signature(name, each), "```", "", prose(each.__doc__))
        yield from ("", f"[When it runs, what it may return, and an example](../hooks/{name}.md).")
        if (each.visado_spec or {}).get("firstresult"):
            yield from ("", "The plugins are called one after the other, until one returns a result that is not None.")


def signature(name: str, function: Any) -> list[str]:
    """Return the lines of a hook's signature."""
    signature = inspect.signature(function)
    inside = [f"{each.name}: {_written(each.annotation)}" for each in signature.parameters.values()]
    answer = _written(signature.return_annotation)
    line = f"def {name}({', '.join(inside)}) -> {answer}"
    return [line] if len(line) < 100 else [f"def {name}(", *(f"    {each}," for each in inside), f") -> {answer}"]  # noqa: PLR2004


def _written(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


# -- commands


def _commands() -> Iterator[str]:
    yield from ("# Commands", "")
    yield "`visado COMMAND --help` prints the same. The exit code is 0 for success, 1 if the command was refused or"
    yield "failed, and 2 for wrong arguments or wrong settings. `python -m visado` is the same as `visado`."
    parser, _ = cli.parsers()
    commands = next(each for each in parser._actions if isinstance(each, argparse._SubParsersAction))  # noqa: SLF001
    for package in _plugins():
        plugin = import_module(package)
        if hasattr(plugin, "register_commands"):
            plugin.register_commands(commands)
    helps = {each.dest: each.help for each in commands._choices_actions}  # noqa: SLF001
    for name, each in sorted(commands.choices.items()):
        yield from _command(f"visado {name}", helps.get(name) or "", each)
    described = options.action_parser("CONTROLLER:ACTION")
    yield from _command(
        "visado CONTROLLER:ACTION",
        "run an [action](actions.md) of a running host, and print its result",
        described,
    )


def _command(name: str, says: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield from ("", f"## {name}", "", f"{says[:1].upper()}{says[1:]}.", "", "| option | |", "| --- | --- |")
    for each in parser._actions:  # noqa: SLF001
        if "--help" in each.option_strings:
            continue
        value = each.metavar or each.dest.upper()
        shown = [f"{option} {value}" if each.nargs != 0 else option for option in each.option_strings] or [value]
        yield f"| {', '.join(f'`{one}`' for one in shown)} | {cell(each.help or '')} |"


# -- words


def _anchor(title: str) -> str:
    """Return the anchor of a title on GitHub."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


if __name__ == "__main__":
    sys.exit(main())
