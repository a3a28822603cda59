"""The installed distributions that declare plugins: entry points of the group `visado`.

Owns which distributions count, and whether one fits this version of visado. Does not own loading (`plugins.manager`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

GROUP: Final = "visado"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry point that declares a plugin, and the distribution that it belongs to."""

    point: EntryPoint
    package: str
    version: str
    folder: str
    requires: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the plugin."""
        return self.point.name

    def __str__(self) -> str:
        return f"{self.package} {self.version} in {self.folder}"


def find_candidates() -> list[Candidate]:
    """Return the plugins that installed distributions declare, in the order of their names.

    Of a project that `sys.path` holds twice, the first distribution counts. Leftovers of pip do not count.
    """
    candidates: list[Candidate] = []
    projects: set[str] = set()
    for distribution in distributions():
        points = distribution.entry_points.select(group=GROUP)
        if not points or _is_leftover(distribution):
            continue
        name = _name(distribution)
        if name and canonicalize_name(name) not in projects:
            projects.add(canonicalize_name(name))
            candidates.extend(_candidate(point, distribution, name) for point in dict.fromkeys(points))
    return sorted(candidates, key=lambda each: each.name)


def _is_leftover(distribution: Distribution) -> bool:
    """Return whether pip renamed the distribution's folder (`~isado_ldap-1.0.dist-info`) in an interrupted removal."""
    path: Any = getattr(distribution, "_path", None)  # pip reads the same attribute: there is no public one
    return str(getattr(path, "name", "")).startswith("~")


def _name(distribution: Distribution) -> str | None:
    metadata: Any = distribution.metadata  # its type lacks `get` in Python 3.11
    name: str | None = metadata.get("Name")
    return name


def _candidate(point: EntryPoint, distribution: Distribution, package: str) -> Candidate:
    folder = str(distribution.locate_file(""))
    return Candidate(point, package, distribution.version, folder, tuple(distribution.requires or ()))


def describe_conflict(claims: Iterable[Candidate]) -> str:
    """Return the sentence for the operator where several distributions declare one plugin name."""
    return f"the name is declared by {' and by '.join(str(each) for each in claims)}: uninstall all but one"


def unmet_requirement(requires: Iterable[str], version: str) -> str | None:
    """Return the requirement (`Requires-Dist`, PEP 508) that this version of visado does not meet, or None.

    A requirement whose environment marker does not apply is skipped, and so is that of an extra. A pre-release of
    visado meets what its number meets: 2.0rc1 meets `>=1.9`, and not `>=2.0`.
    """
    for text in requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # not this host's to judge: pip refuses or ignores it
            continue
        if canonicalize_name(requirement.name) != "visado":
            continue
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if applies and not requirement.specifier.contains(version, prereleases=True):
            return text
    return None
