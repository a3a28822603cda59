"""From a verb and a path to an action: segment by segment, by look-up, without going back."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from visado.controller import Action, ActionTable


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict[str, "_Node"])
    placeholder: _Node | None = None
    ends: dict[str, tuple[Action, tuple[str, ...]]] = field(default_factory=dict[str, tuple[Action, tuple[str, ...]]])


class Routes:
    """The routes of the action table. A literal segment beats a placeholder."""

    def __init__(self, table: ActionTable) -> None:
        self._root = _Node()
        self._plain: dict[bytes, _Node] = {}  # those without placeholders, by their whole path
        for action in table:
            for route in action.routes:
                self._add(route.verb, route.path, action)

    def _add(self, verb: str, path: str, action: Action) -> None:
        node, names = self._root, list[str]()
        for segment in _segments(path):
            if segment.startswith(":"):
                names.append(segment[1:])
                node.placeholder = node.placeholder or _Node()
                node = node.placeholder
            else:
                node = node.literals.setdefault(segment, _Node())
        node.ends[verb] = (action, tuple(names))
        if not names:
            self._plain[path.encode()] = node

    def find(self, verb: str, path: bytes) -> tuple[Action, dict[str, str]] | None:
        """The action behind a raw path, and the values of its placeholders; None where there is none."""
        node, values = self._plain.get(path), list[str]()
        if node is None:
            node = self._walk(path, values)
        end = node.ends.get(verb) if node is not None else None
        return (end[0], dict(zip(end[1], values, strict=True))) if end else None

    def _walk(self, path: bytes, values: list[str]) -> _Node | None:
        node = self._root
        try:
            segments = [unquote_to_bytes(segment).decode() for segment in _raw_segments(path)]
        except UnicodeDecodeError:
            return None
        for segment in segments:
            literal = node.literals.get(segment)
            if literal is not None:
                node = literal
            elif node.placeholder is not None and segment:
                node = node.placeholder
                values.append(segment)
            else:
                return None
        return node


def _segments(path: str) -> list[str]:
    return path.strip("/").split("/") if path != "/" else []


def _raw_segments(path: bytes) -> list[bytes]:
    """Split a path; one slash at its end is tolerated, an empty segment anywhere else is a path of its own."""
    trimmed = path.removeprefix(b"/")
    if trimmed.endswith(b"/"):
        trimmed = trimmed[:-1]
    return trimmed.split(b"/") if trimmed else []
