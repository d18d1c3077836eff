"""The common parts of all services of the local cloud: the error that they answer with, and numbers read from requests."""

from __future__ import annotations

from collections.abc import Mapping

# The service name that the command line signs with when it asks whether the local cloud is there.
STATUS_SERVICE = "mojo"


class ServiceError(Exception):
    """A request that is refused: `code` and `message` as AWS words them, `status` of the HTTP answer.

    The web application writes it in the form the service speaks (`__type` in JSON, `<Error>` in XML).
    """

    def __init__(self, code: str, message: str, status: int = 400, *, headers: Mapping[str, str] | None = None) -> None:
        """Take the refusal, and the headers that the answer has in addition to its body."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.headers = dict(headers or {})


def bounded_number(text: str, most: int) -> int | None:
    """Return the number from 0 to `most` that `text` writes in plain digits, or None if it does not write one."""
    # Counted first: Python refuses to read thousands of digits.
    if not (text.isascii() and text.isdigit()) or len(text.lstrip("0")) > len(str(most)):
        return None
    number = int(text.lstrip("0") or "0")
    return number if number <= most else None
