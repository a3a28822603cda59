"""The report that `visado serve` prints at the start: the address, the plugins, and what is not safe yet."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Final

from visado.app import Visado
from visado.cli.building import problems
from visado.settings.sections import SecuritySection, ServerSection, ThrottleSection

_MANUAL: Final = "docs/ in the source code, GET /_openapi of this host, and visado --help"
_LOOPBACK_HOSTS: Final = ("127.", "::1", "localhost")


def describe(host: Visado, url: str) -> Iterator[str]:
    """Yield the lines that describe the running host."""
    yield f"visado {version('visado')} on {url} as {host.node}"
    for plugin in host.plugins:
        provides = plugin.reason or ", ".join(each for each in plugin.contributes if not each.startswith("action "))
        named = f"  {plugin.state:<11} {plugin.name} ({plugin.package} {plugin.version})"
        yield f"{named}: {provides}" if provides else named
    yield from (f"  not ready   {problem}" for problem in problems(host))
    if not host.security.strategies:
        yield "  no strategy: nobody can log in. Install one, for instance: pip install visado-local"
    yield f"  manual: {_MANUAL}"


def warn(host: Visado, *, admin: bool) -> Iterator[str]:
    """Yield the lines that warn of unsafe settings."""
    server, security = host.settings[ServerSection], host.settings[SecuritySection]
    if not admin:
        whom = "every request" if security.open_bootstrap else "every request from this machine"
        yield (
            f"  NOT SAFE YET: no administrator, {whom} may run every action. "
            "Create the administrator: visado admin:create"
        )
    if not admin and server.public_url and not security.open_bootstrap:
        yield (
            "  NOT SAFE YET: requests through a proxy that sends no X-Forwarded-For count as requests from this "
            "machine. Create the administrator first"
        )
    if security.preset != "strict":
        yield (
            "  NOT SAFE YET: weak passwords are accepted. Before the host is reachable from a public network, set "
            '[security] preset = "strict"'
        )
    if not server.host.startswith(_LOOPBACK_HOSTS) and not server.public_url.startswith("https:"):
        yield (
            "  NOT SAFE YET: other machines can connect without TLS, and would send passwords unencrypted. "
            "Use a proxy with TLS, and set [server] public_url"
        )
    if host.settings[ThrottleSection].enabled:
        yield "  NOT SAFE YET: [throttle] enabled = true has no effect yet: failed logins are not throttled"
    else:
        yield "  note: failed logins are not throttled. Limit the rate of logins in a proxy"
