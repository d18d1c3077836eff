"""Waiting for something of AWS's that is on its way, until it has settled or a time is over."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from typing import Any

from mojo_toolbox.errors import WaitTimeoutError


class Deadline:
    """The end of somebody's waiting for something that goes on by itself."""

    def __init__(self, timeout: float | None) -> None:
        """Begin to wait `timeout` seconds at most. None has no end."""
        self._timeout = timeout
        self._deadline = math.inf if timeout is None else time.monotonic() + timeout

    def pause(self, seconds: float, *, still: str) -> None:
        """Sleep until the next look.

        Raises:
            WaitTimeoutError: the time is over. `still` is its message.
        """
        if time.monotonic() > self._deadline:
            raise WaitTimeoutError(still)
        time.sleep(seconds)

    def until_settled(
        self,
        look: Callable[[], dict[str, Any]],
        *,
        status: str,
        settled: Collection[str],
        what: str,
        pause: float,
    ) -> dict[str, Any]:
        """Look until the field `status` of the description has one of the `settled` values. Return the description.

        Raises:
            WaitTimeoutError: the time is over, and `what` is still on its way.
        """
        while (description := look())[status] not in settled:
            self.pause(pause, still=f"{what} is still {description[status]} after {self._timeout} s; it goes on.")
        return description
