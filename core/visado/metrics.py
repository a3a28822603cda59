"""Numbers for an operator, in Prometheus' text format."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts answers by action and status. Actions come from the table alone, so the labels stay bounded."""

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, int]] = Counter()
        self._began = time.monotonic()
        self.in_flight = 0

    def count(self, action: str, status: int) -> None:
        """Note an answer."""
        self._answers[action, status] += 1

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def text(self) -> str:
        """Write everything down."""
        lines = [
            "# HELP visado_requests_total Requests answered, by action and status.",
            "# TYPE visado_requests_total counter",
        ]
        for (action, status), count in sorted(self._answers.items()):
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
