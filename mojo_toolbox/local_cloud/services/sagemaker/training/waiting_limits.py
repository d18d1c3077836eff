"""Ends training jobs that have waited too long: MaxWaitTimeInSeconds of spot jobs, MaxPendingTimeInSeconds of others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.resources.instance_types import is_accelerated

# The longest that Python waits. No job may last so long.
_LONGEST_SECONDS = 365 * 86400


class WaitingLimits:
    """A timer for each job that has a limit. `stop(name, secondary status)` ends a job whose time is over."""

    def __init__(self, stop: Callable[[str, str], None]) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        # Until it has ended, and only until it starts.
        self._total: dict[str, threading.Timer] = {}
        self._pending: dict[str, threading.Timer] = {}

    def begin(self, name: str, request: Mapping[str, Any]) -> None:
        """Start the time that a new job's StoppingCondition allows."""
        times = request.get("StoppingCondition", {})
        if "MaxWaitTimeInSeconds" in times:
            self._start(self._total, name, times["MaxWaitTimeInSeconds"], "MaxWaitTimeExceeded")
        # As on AWS: only jobs that wait for a GPU have a limit.
        if "MaxPendingTimeInSeconds" in times and is_accelerated(request["ResourceConfig"]["InstanceType"]):
            self._start(self._pending, name, times["MaxPendingTimeInSeconds"], "Stopped")

    def started(self, name: str) -> None:
        """Note that a job waits no longer."""
        self._cancel(self._pending, name)

    def ended(self, name: str) -> None:
        """Forget a job."""
        self._cancel(self._total, name)

    def close(self) -> None:
        """Forget every job."""
        for timers in (self._total, self._pending):
            for name in list(timers):
                self._cancel(timers, name)

    def _start(self, timers: dict[str, threading.Timer], name: str, seconds: float, secondary: str) -> None:
        timer = threading.Timer(min(seconds, _LONGEST_SECONDS), self._stop, (name, secondary))
        timer.daemon = True
        with self._lock:
            timers[name] = timer
        timer.start()

    def _cancel(self, timers: dict[str, threading.Timer], name: str) -> None:
        with self._lock:
            timer = timers.pop(name, None)
        if timer is not None:
            timer.cancel()
