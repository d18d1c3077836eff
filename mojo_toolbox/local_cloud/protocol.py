"""The error that every service of the local cloud answers with, in AWS's own codes."""

from __future__ import annotations


class ServiceError(Exception):
    """A request that is refused: `code` and `message` as AWS words them, `status` of the HTTP answer.

    The web application writes it in the form the service speaks (`__type` in JSON, `<Error>` in XML).
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
