"""Where blocking work is done, so that the event loop stays free for the other requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# Transfers wait for the disk, not for the processor: more threads than cores, so that a slow one holds up nobody.
_POOL = ThreadPoolExecutor(max_workers=32, thread_name_prefix="local-cloud")


async def in_thread(function: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> R:
    """Run a blocking function in a thread and wait for it without blocking the loop."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_POOL, lambda: function(*arguments, **keywords))
