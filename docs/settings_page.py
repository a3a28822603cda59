"""The reference page of settings: every section as a table, from its class."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

import annotated_types
from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from visado.settings import durations
from visado.settings.loading import Section


def page(sections: Iterable[type[Section]]) -> Iterator[str]:
    """Return the lines of the page."""
    yield from ("# Settings", "")
    yield "Each section is a table of `visado.toml`. Settings can also be environment variables, such as"
    yield "`VISADO_SERVER__PORT=8080`, and secret files: see the [guide](../guide.md#settings)."
    yield "`visado config --template` prints a commented TOML file with all settings and their defaults."
    yield ""
    yield 'A *duration* is a number in the unit that its type names, or a text with a unit of its own: `"90s"`,'
    yield '`"1h"`, `"6 days"`, `"1 week"`.'
    for section in sorted(sections, key=lambda each: each.name):
        yield from _section(f"[{section.name}]", section.name, section)


def _section(title: str, place: str, section: type[BaseModel]) -> Iterator[str]:
    yield from ("", f"## `{title}`", "", prose(section.__doc__))
    nested: list[tuple[str, str, type[BaseModel]]] = []
    rows: list[str] = []
    for key, field in section.model_fields.items():
        inner = next(_models(field.annotation), None)
        default = field.get_default(call_default_factory=True, validated_data={})
        if inner is not None and isinstance(default, BaseModel):
            nested.append((f"[{place}.{key}]", f"{place}.{key}", inner))
            continue
        nested += [(_inner_title(place, key, field.annotation), f"{place}.{key}", m) for m in _models(field.annotation)]
        bounds = " and ".join(_bounds(field.metadata))
        kind = _duration_name(field.metadata) or _name(field.annotation)
        kind = cell(f"{kind}, {bounds}" if bounds else kind)
        cells = (f"`{key}`", kind, _value(default), cell(field.description or ""))
        rows.append(f"| {' | '.join(cells)} |")
    if rows:
        yield from ("", "| key | type | default | |", "| --- | --- | --- | --- |", *rows)
    extra = get_type_hints(section).get("__pydantic_extra__")
    named = next(_models(extra), None) if section.model_config.get("extra") == "allow" else None
    if named is not None:
        nested.append((f"[{place}.NAME]", f"{place}.NAME", named))
    for name, where, inner in nested:
        yield from _section(name, where, inner)


def _inner_title(place: str, key: str, annotation: Any) -> str:
    name = f"{place}.{key}"
    if get_origin(annotation) is list:
        return f"[[{name}]]"
    return f"[{name}.NAME]" if get_origin(annotation) is dict else f"{name} = {{...}}"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models inside a type."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)


def _duration_name(metadata: Iterable[Any]) -> str | None:
    """Return the name of a duration's type, or None for another type."""
    for each in metadata:
        for unit, reader in _DURATIONS.items():
            if each is reader:
                return f"duration in {unit}"
    return None


_DURATIONS: Final = {
    "ms": get_args(durations.Milliseconds)[1],
    "s": get_args(durations.Seconds)[1],
}


_NAMES: Final[Mapping[Any, str]] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    Path: "path",
    SecretStr: "secret",
    Any: "anything",
}


def _name(annotation: Any) -> str:
    if annotation in _NAMES:
        return _NAMES[annotation]
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is None:
        return "table" if inspect.isclass(annotation) and issubclass(annotation, BaseModel) else str(annotation)
    names = [_name(each) if not isinstance(each, str) else f"`{json.dumps(each)}`" for each in inside]
    if origin is list:
        return f"list of {names[0]}s"
    if origin is dict:
        return f"table, each value a {names[1]}"
    if hasattr(annotation, "__metadata__"):
        return _duration_name(annotation.__metadata__) or names[0]
    return " or ".join(name for name, each in zip(names, inside, strict=True) if each is not type(None))


def _bounds(metadata: Iterable[Any]) -> Iterator[str]:
    for each in metadata:
        for kind, words in ((annotated_types.Ge, "≥"), (annotated_types.Gt, ">")):
            if isinstance(each, kind):
                yield f"{words} {getattr(each, kind.__name__.lower())}"
        for kind, words in ((annotated_types.Le, "≤"), (annotated_types.Lt, "<")):
            if isinstance(each, kind):
                yield f"{words} {getattr(each, kind.__name__.lower())}"


def _value(default: Any) -> str:
    if default is PydanticUndefined:
        return "required"
    return "none" if default is None else f"`{json.dumps(default, default=str)}`"


def prose(text: str | None) -> str:
    """Return a docstring's paragraphs, each on one line."""
    blocks = re.split(r"\n\s*\n", inspect.cleandoc(text or ""))
    return "\n\n".join(" ".join(block.split()) for block in blocks)


def cell(text: str) -> str:
    """Return a text for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
