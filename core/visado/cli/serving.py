"""What `visado serve` does: build the host, open it, report to the operator, and serve until a signal."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from typing import Final

from visado.app import Visado
from visado.cli import startup_report
from visado.cli.building import build_host, print_error
from visado.cli.options import EXIT_FAILED
from visado.plugins.manager import StartError
from visado.plugins.watchdog import Watchdog
from visado.settings.sections import PluginsSection, ServerSection
from visado.storage.protocol import StorageError
from visado.web.server import Server, address, configure, listen

_OPENING_BLOCK_SECONDS: Final = 10.0
"""How long a plugin may block the host while the host opens, if `plugins.longest_block` is less."""
_LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


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
        has_admin = await host.security.users.admin_exists()
        report = [*startup_report.describe(host, address(listening)), *startup_report.warn(host, admin=has_admin)]
        watchdog.watch(block_seconds)
        server = Server(configure(host, host.settings), lambda: print("\n".join(report), flush=True), host.stop)
        await server.serve([listening])
        return 0
    finally:
        watchdog.stop()
        await host.close()
