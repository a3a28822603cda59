"""`visado serve`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Iterator
from importlib.metadata import version

from visado.app import Visado
from visado.cli.building import CANNOT_START, complain, from_arguments, troubles
from visado.plugins.manager import StartError
from visado.plugins.watchdog import Watchdog
from visado.settings.sections import PluginsSection, SecuritySection, ServerSection
from visado.storage.protocol import StorageError
from visado.web.server import Server, address, configure, listen

_START_LIMIT = 10.0
_MANUAL = "docs/ in the sources, GET /_openapi here, and `visado --help`"


def run(arguments: argparse.Namespace) -> int:
    """Serve until somebody asks to stop."""
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, stream=sys.stderr)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    watchdog = Watchdog()
    host = from_arguments(arguments, watchdog)
    if isinstance(host, int):
        return host
    watchdog.owner_of, watchdog.on_interrupt = host.plugins.owner_of, host.plugins.quarantine_blocking
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        return runner.run(_serve(host, watchdog))


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - not on every system
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def _serve(host: Visado, watchdog: Watchdog) -> int:
    longest = host.settings[PluginsSection].longest_block
    try:
        watchdog.watch(max(longest, _START_LIMIT))
        await host.open()
    except (StorageError, StartError) as error:
        return complain(error, CANNOT_START)
    try:
        listening = listen(host.settings)
    except OSError as error:
        place = host.settings[ServerSection]
        return complain(
            OSError(f"cannot listen on {place.host}:{place.port}: {os.strerror(error.errno or 0)}"), CANNOT_START
        )
    else:
        lines = [*_report(host, address(listening)), *_warnings(host, admin=await host.security.users.admin_exists())]
        watchdog.watch(longest)
        server = Server(configure(host, host.settings), lambda: print("\n".join(lines), flush=True), host.stop)
        await server.serve([listening])
        return 0
    finally:
        watchdog.stop()
        await host.close()


def _report(host: Visado, url: str) -> Iterator[str]:
    yield f"visado {version('visado')} on {url} as {host.node}"
    for plugin in host.plugins:
        brings = plugin.reason or ", ".join(each for each in plugin.contributes if not each.startswith("action "))
        yield f"  {plugin.state:<11} {plugin.name} ({plugin.package} {plugin.version}): {brings}"
    yield from (f"  not ready   {what}" for what in troubles(host))
    if not host.security.strategies:
        yield "  no strategy: nobody can log in. Install one, for instance: pip install visado-local"
    yield f"  manual: {_MANUAL}"


def _warnings(host: Visado, *, admin: bool) -> Iterator[str]:
    """Say what is not safe yet."""
    server, security = host.settings[ServerSection], host.settings[SecuritySection]
    if not admin:
        whom = "everybody" if security.open_bootstrap else "everybody on this machine"
        yield f"  NOT SAFE YET: no administrator, {whom} may do everything. Close the host: visado admin:create"
    if not admin and server.public_url and not security.open_bootstrap:
        yield "  NOT SAFE YET: a proxy without X-Forwarded-For looks like this machine: make the administrator first"
    if security.preset != "strict":
        yield '  NOT SAFE YET: any password will do. Before the world may come: [security] preset = "strict"'
    if not server.host.startswith(("127.", "::1", "localhost")) and not server.public_url.startswith("https:"):
        yield "  NOT SAFE YET: other machines can connect, and passwords travel in the clear: put TLS in front"
