"""A plugin that hangs or blocks the event loop: seen from outside, while other requests go on."""

from __future__ import annotations

import threading
import time

import pytest

from tests.core.throwaway import GOOD, put
from tests.waiting import until
from visado_kit.live import serve

SLOW = GOOD.replace(
    'async def authenticate(self, request): return Fail("not today")',
    """timeout = 1.0
    async def authenticate(self, request):
        import asyncio, time
        how = request.fields.get("how")
        if how == "awaits":
            await asyncio.Event().wait()
        if how == "blocks":
            time.sleep(60)  # subject: a strategy that blocks the event loop
        if how == "spins":
            while True:
                try:
                    sum(range(1000))
                except Exception:
                    pass
        return Fail("not today")""",
)


HANG = "import time; time.sleep(60)"  # subject: a plugin that blocks the start


class Probe:
    """Asks for the time every 20 ms, and remembers how long each answer took: a held-up host takes a second."""

    def __init__(self, host):
        self.times, self.statuses, self._host, self._ended = [], set(), host, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._ended.wait(0.02):
            start = time.perf_counter()
            self.statuses.add(self._host.request("GET", "/_now").status)
            self.times.append(time.perf_counter() - start)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    @property
    def delays(self):
        """How many answers waited for a strategy: half of its time limit is more than a busy machine takes."""
        return sum(each > 0.5 for each in self.times)

    def ask(self, times):
        """Wait until so many more answers have come."""
        wanted = len(self.times) + times
        until(lambda: len(self.times) >= wanted, seconds=60)


@pytest.fixture
def slow(tmp_path):
    put(tmp_path / "site", "slow", SLOW.format(name="slow"))
    with serve(tmp_path, environment={"PYTHONPATH": str(tmp_path / "site")}) as host:
        yield host


def state(host, token=None):
    return host.query("security:listPlugins", token=token).result["plugins"]["slow"]


def test_a_strategy_that_awaits_for_ever_is_cut_off_and_nobody_else_notices(slow):
    with Probe(slow) as probe:
        answers = [slow.query("auth:login", strategy="slow", body={"how": "awaits"}) for _ in range(3)]
    assert {(each.status, each.error_id) for each in answers} == {(504, "plugin.strategy.timeout")}
    assert probe.statuses == {200}
    assert probe.delays == 0
    assert state(slow)["state"] == "active"


@pytest.mark.parametrize("how", ["blocks", "spins"])
def test_a_strategy_that_holds_up_the_host_is_interrupted_once_and_quarantined(slow, how):
    began = time.monotonic()
    with Probe(slow) as probe:
        first = slow.query("auth:login", strategy="slow", body={"how": how})
        assert time.monotonic() - began < 5
        later = [slow.query("auth:login", strategy="slow", body={"how": how}) for _ in range(20)]
        probe.ask(150)
    assert (first.status, first.error_id) == (504, "plugin.strategy.timeout")
    assert {each.error_id for each in later} == {"security.credentials.unknown_strategy"}
    assert probe.statuses == {200}
    assert probe.delays <= 1
    shown = state(slow)
    assert (shown["state"], "thread" in shown["reason"]) == ("quarantined", True)
    assert "Traceback" not in str(shown)
    assert slow.query("security:enablePlugin", plugin="slow").result["state"] == "active"
    assert slow.query("auth:login", strategy="slow", body={}).error_id == "plugin.strategy.missing_user"


@pytest.mark.parametrize("where", ["import", "hook", "open"])
def test_a_plugin_that_hangs_at_the_start_is_quarantined_by_name_after_ten_seconds(tmp_path, where):
    source = GOOD.format(name="word")
    if where == "import":
        source = f"{HANG}\n{source}"
    if where == "hook":
        source = source.replace("return [Word()]", f"{HANG}\n    return [Word()]")
    if where == "open":
        source = source.replace("async def info", f"async def open(self): {HANG}\n    async def info")
    put(tmp_path / "site", "word", source)
    began = time.monotonic()
    with serve(tmp_path, environment={"PYTHONPATH": str(tmp_path / "site")}) as host:
        assert time.monotonic() - began < 40
        shown = host.query("security:listPlugins").result["plugins"]["word"]
        assert shown["state"] == "quarantined"
        assert "10" in shown["reason"]
        assert host.query("auth:getStrategies").result == ["local"]
