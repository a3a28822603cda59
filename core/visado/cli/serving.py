"""What `visado serve` does: build the host, open it, report to the operator, and serve until a signal."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Final

from visado.app import Visado
from visado.cli.options import EXIT_FAILED
from visado.cli.startup import build_host, print_error, problems
from visado.plugins.manager import StartError
from visado.plugins.watchdog import Watchdog
from visado.settings.sections import PluginsSection, SecuritySection, ServerSection, ThrottleSection
from visado.storage.protocol import StorageError
from visado.web.server import Server, address, configure, listen

_OPENING_BLOCK_SECONDS: Final = 10.0
"""How long a plugin may block the host while the host opens, if `plugins.longest_block` is less."""
_MANUAL: Final = "docs/ in the source code, GET /_openapi of this host, and visado --help"
_LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LOOPBACK_HOSTS: Final = ("127.", "::1", "localhost")


def run(arguments: argparse.Namespace) -> int:
    """Run the host until it receives a signal to stop; return the exit code."""
    logging.basicConfig(level=logging.INFO, format=_LOG_FORMAT, stream=sys.stderr)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    watchdog = Watchdog()
    host = build_host(arguments, watchdog)
    if isinstance(host, int):
        return host
    watchdog.owner_of, watchdog.on_interrupt = host.plugins.owner_of, host.plugins.quarantine_blocking
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        return runner.run(_serve(host, watchdog))


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - not available on every system
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def _serve(host: Visado, watchdog: Watchdog) -> int:
    block_seconds = host.settings[PluginsSection].longest_block
    try:
        watchdog.watch(max(block_seconds, _OPENING_BLOCK_SECONDS))
        await host.open()
    except (StorageError, StartError) as error:
        return print_error(error, EXIT_FAILED)
    try:
        listening = listen(host.settings)
    except OSError as error:
        section = host.settings[ServerSection]
        reason = os.strerror(error.errno or 0)
        return print_error(OSError(f"cannot listen on {section.host}:{section.port}: {reason}"), EXIT_FAILED)
    else:
        lines = [*_report(host, address(listening)), *_warnings(host, admin=await host.security.users.admin_exists())]
        watchdog.watch(block_seconds)
        server = Server(configure(host, host.settings), lambda: print("\n".join(lines), flush=True), host.stop)
        await server.serve([listening])
        return 0
    finally:
        watchdog.stop()
        await host.close()


def _report(host: Visado, url: str) -> Iterator[str]:
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


def _warnings(host: Visado, *, admin: bool) -> Iterator[str]:
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
