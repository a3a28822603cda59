"""Metrics for operators, in the text format of Prometheus."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts responses by action and status. Labels are ids of the action table, so their number is bounded."""

    def __init__(self) -> None:
        self._responses: Counter[tuple[str, int]] = Counter()
        self._started_at = time.monotonic()
        self.in_flight = 0

    def count(self, action: str, status: int) -> None:
        """Count a response."""
        self._responses[action, status] += 1

    @property
    def uptime(self) -> float:
        """Seconds since the host was built."""
        return time.monotonic() - self._started_at

    def text(self) -> str:
        """Return all metrics in the text format."""
        lines = [
            "# HELP visado_requests_total Requests answered, by action and status.",
            "# TYPE visado_requests_total counter",
        ]
        for (action, status), count in sorted(self._responses.items()):
            lines.append(f'visado_requests_total{{action="{action}",status="{status}"}} {count}')
        lines += [
            "# HELP visado_requests_in_flight Requests that are being answered.",
            "# TYPE visado_requests_in_flight gauge",
            f"visado_requests_in_flight {self.in_flight}",
            "# HELP visado_uptime_seconds Time since the start.",
            "# TYPE visado_uptime_seconds gauge",
            f"visado_uptime_seconds {self.uptime:.3f}",
        ]
        return "\n".join([*lines, ""])
