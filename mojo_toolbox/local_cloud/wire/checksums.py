"""The checksums that S3's clients send with a body, and how the sums of parts become the sum of an object."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from mojo_toolbox.local_cloud.wire.protocol import ServiceError

HEADER_PREFIX = "x-amz-checksum-"
# S3 computes this one by itself when a client names no algorithm.
DEFAULT_ALGORITHM = "CRC64NVME"
ALGORITHMS = (
    "CRC32",
    "CRC32C",
    "CRC64NVME",
    "SHA1",
    "SHA256",
    "SHA512",
    "MD5",
    "XXHASH64",
    "XXHASH3",
    "XXHASH128",
)
_CRC_BYTES = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8}
_XXHASH = {"XXHASH64": "new_xxhash64", "XXHASH3": "new_xxhash3_64", "XXHASH128": "new_xxhash3_128"}


class Checksum(Protocol):
    """A running checksum."""

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """Return the sum of all bytes so far."""


class _Crc:
    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XxHash:
    def __init__(self, running: Any) -> None:
        self._running = running

    def update(self, data: bytes, /) -> None:
        self._running.update(data)

    def digest(self) -> bytes:
        return bytes(self._running.finalize())


def new_checksum(algorithm: str) -> Checksum:
    """Start a checksum. `algorithm` is one of ALGORITHMS."""
    if algorithm in _CRC_BYTES:
        return _Crc(getattr(_awscrt(), algorithm.lower()), _CRC_BYTES[algorithm])
    if algorithm in _XXHASH:
        return _XxHash(getattr(_awscrt().XXHash, _XXHASH[algorithm])())
    return hashlib.new(algorithm.lower(), usedforsecurity=False)


def stated_checksums(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the checksums that a request or a trailer states: {algorithm: base64}."""
    return {
        algorithm: headers[name] for algorithm in ALGORITHMS if (name := HEADER_PREFIX + algorithm.lower()) in headers
    }


def without_checksums(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers without the checksums that they state."""
    names = {HEADER_PREFIX + algorithm.lower() for algorithm in ALGORITHMS}
    return {name: value for name, value in headers.items() if name not in names}


def known_algorithm(text: str) -> str:
    """Return an algorithm's name in capitals.

    Raises:
        ServiceError: S3 has no such algorithm.
    """
    if text.upper() not in ALGORITHMS:
        raise ServiceError("InvalidRequest", "Checksum algorithm provided is unsupported.")
    return text.upper()


def default_type(algorithm: str) -> str:
    """Return how a multipart upload's sum is made when the client does not say."""
    return "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"


def composite(algorithm: str, sums: Sequence[str]) -> str:
    """Return the checksum of the parts' checksums, with the number of parts."""
    running = new_checksum(algorithm)
    for one in sums:
        running.update(base64.b64decode(one))
    return f"{encode(running.digest())}-{len(sums)}"


def full_object(algorithm: str, sums: Iterable[tuple[str, int]]) -> str:
    """Return the checksum of the whole from the parts' checksums and sizes, which only a CRC allows.

    Raises:
        ServiceError: the algorithm is no CRC.
    """
    if algorithm not in _CRC_BYTES:
        raise ServiceError(
            "InvalidRequest", f"The FULL_OBJECT checksum type cannot be used with the {algorithm.lower()} algorithm."
        )
    combine = getattr(_awscrt(), f"combine_{algorithm.lower()}")
    value = 0
    for one, size in sums:
        value = combine(value, int.from_bytes(base64.b64decode(one), "big"), size)
    return encode(value.to_bytes(_CRC_BYTES[algorithm], "big"))


def encode(digest: bytes) -> str:
    """Write a digest as AWS's headers do."""
    return base64.b64encode(digest).decode()


def _awscrt() -> Any:
    import awscrt.checksums

    return awscrt.checksums
