"""Finds a job's metrics in its output, by the regular expressions of its request."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mojo_toolbox.local_cloud.untrusted.linear_patterns import Match, compile_pattern

# A line of metrics is short. A line of a megabyte is data that somebody printed.
_SEARCHED_CHARACTERS = 16 * 1024
# An expression can be slow without being endless: the job's output waits, and a stop is due in between.
_SECONDS_PER_BATCH = 2.0


class Metrics:
    """The last value of each metric."""

    def __init__(self, definitions: Sequence[Mapping[str, str]]) -> None:
        self._patterns = [(definition["Name"], compile_pattern(definition["Regex"])) for definition in definitions]
        self._found: dict[str, tuple[float, int]] = {}
        self.skipped_lines = 0

    def read(self, batch: Sequence[tuple[int, str]]) -> bool:
        """Look through log lines. Return whether one of them held a value."""
        found, give_up = False, time.monotonic() + _SECONDS_PER_BATCH
        for number, (at, line) in enumerate(batch if self._patterns else ()):
            if time.monotonic() > give_up:
                self.skipped_lines += len(batch) - number
                break
            for name, pattern in self._patterns:
                match = pattern.search(line[:_SEARCHED_CHARACTERS])
                value = _number(match) if match else None
                if value is not None:
                    self._found[name] = (value, at)
                    found = True
        return found

    def latest(self) -> list[dict[str, Any]]:
        """Return them as FinalMetricDataList."""
        return [
            {"MetricName": name, "Value": value, "Timestamp": at // 1000} for name, (value, at) in self._found.items()
        ]


def _number(match: Match) -> float | None:
    try:
        value = float(match[1] or "")
    except (IndexError, ValueError):
        return None
    # JSON has no NaN: a client would choke on it.
    return value if math.isfinite(value) else None
