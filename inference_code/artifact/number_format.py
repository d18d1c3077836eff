"""The device and the number format that a model computes in. On a CPU the formats are timed."""

from __future__ import annotations

import os
import time

import torch

from artifact.manifest import UnservableArtifactError

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
_SHORT_DTYPES = {"bf16": "bfloat16", "fp16": "float16", "half": "float16", "fp32": "float32"}


def serving_device(gpu_id: int | None) -> torch.device:
    """Return where a language model computes: on the GPU of this number, the first when none is given, else on the CPU."""
    return torch.device("cuda", gpu_id or 0) if torch.cuda.is_available() else torch.device("cpu")


def serving_dtype(device: torch.device) -> torch.dtype:
    """Return the number format: MOJO_DTYPE, else 16 bits where the device is fast at them."""
    given = given_dtype()
    if given is not None:
        return given
    if device.type == "cuda":
        # T4s and older emulate bf16, slowly.
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
    return torch.bfloat16 if _cpu_is_fast_at_bf16() else torch.float32


def given_dtype() -> torch.dtype | None:
    """Return the number format that MOJO_DTYPE names, None where it leaves the choice.

    Raises:
        UnservableArtifactError: it names another one.
    """
    given = os.environ.get("MOJO_DTYPE", "").strip().lower()
    if given in ("", "auto"):
        return None
    name = _SHORT_DTYPES.get(given, given)
    if name not in _DTYPES:
        raise UnservableArtifactError(f"MOJO_DTYPE is {given!r}. Set it to auto, bfloat16, float16 or float32.")
    return _DTYPES[name]


def _cpu_is_fast_at_bf16() -> bool:
    """Time a small product in both, some 20 ms in all: CPUs without bf16 units emulate them, several times slower.

    On one thread and in turns, so that a busy machine does not decide.
    """
    dtypes = (torch.float32, torch.bfloat16)
    operands = {dtype: (torch.randn(64, 512).to(dtype), torch.randn(512, 512).to(dtype)) for dtype in dtypes}
    fastest = dict.fromkeys(dtypes, float("inf"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            for dtype in dtypes * 30:
                started = time.perf_counter()
                torch.nn.functional.linear(*operands[dtype])
                fastest[dtype] = min(fastest[dtype], time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
    return fastest[torch.bfloat16] < fastest[torch.float32]
