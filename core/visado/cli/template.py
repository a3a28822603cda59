"""The commented TOML template that `visado config --template` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from visado.settings.loading import Section


def lines(name: str, section: type[BaseModel], *, sign: str = "") -> Iterator[str]:
    """Yield the lines of a table and of the tables inside it: each setting with its description and its default.

    `sign` is written before the table's name: `# ` for a table that does not exist until the operator names it.
    """
    yield f"# {(section.__doc__ or '').strip().splitlines()[0]}"
    yield f"{sign}[{name}]"
    nested: list[tuple[str, type[BaseModel]]] = []
    for key, field in section.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        if isinstance(default, Section):
            nested.append((f"{name}.{key}", type(default)))
            continue
        if field.description:
            yield f"# {field.description}"
        has_default = not (default is None or default is PydanticUndefined or isinstance(default, SecretStr))
        yield f"# {key} = {_toml(default)}" if has_default else f"# {key} has no default"
    yield ""
    for place, inner in nested:
        yield from lines(place, inner)
    named = _named_tables(section)
    if named is not None:
        yield from lines(f"{name}.NAME", named, sign="# ")


def _named_tables(section: type[BaseModel]) -> type[BaseModel] | None:
    """Return the model of the tables inside a section that the operator names, or None."""
    if section.model_config.get("extra") != "allow":
        return None
    return next((each for each in get_args(get_type_hints(section)["__pydantic_extra__"]) if each is not str), None)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{}"
    return json.dumps(value, default=str)
