"""The Security Token Service: who a caller is, and temporary keys that the signature check then accepts."""

from __future__ import annotations

import re
import time
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from mojo_toolbox.local_cloud.identity.credentials import Key, KeyRing
from mojo_toolbox.local_cloud.identity.incoming import Incoming
from mojo_toolbox.local_cloud.state.account import ACCOUNT_ID
from mojo_toolbox.local_cloud.state.home import new_access_key_id
from mojo_toolbox.local_cloud.wire.http import HttpAnswer, HttpRequest
from mojo_toolbox.local_cloud.wire.protocol import ServiceError, bounded_number
from mojo_toolbox.local_cloud.wire.threads import in_thread

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/(?:.+/)?([\w+=,.@-]{1,64})")
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
# Seconds that a key may live: least, most, when nothing is said. As AWS.
_ROLE_SECONDS = (900, 43200, 3600)
_SESSION_SECONDS = (900, 129600, 43200)


class StsService:
    """Answers STS itself: moto's temporary keys are the same for everybody, so no signature could rest on them."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    async def answer(self, incoming: Incoming) -> HttpAnswer | None:
        """Answer the requests that are signed for STS.

        Raises:
            ServiceError: an operation that is not offered, or a parameter that AWS refuses.
        """
        if incoming.service != "sts":
            return None
        return await in_thread(self._answer, incoming.request, incoming.content, incoming.verified.key)

    def _answer(self, request: HttpRequest, body: bytes, caller: Key) -> HttpAnswer:
        """Answer one request of the query protocol."""
        parameters = request.query | dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        operation = parameters.get("Action", "")
        result: dict[str, object]
        match operation:
            case "GetCallerIdentity":
                result = {"Arn": caller.arn, "UserId": caller.user_id, "Account": ACCOUNT_ID}
            case "GetSessionToken":
                seconds = _duration(parameters, _SESSION_SECONDS)
                result = _credentials(self._keys.lend(arn=caller.arn, user_id=caller.user_id, seconds=seconds))
            case "AssumeRole":
                result = self._assume_role(parameters)
            case "GetFederationToken":
                result = self._federate(parameters)
            case "GetAccessKeyInfo":
                result = {"Account": ACCOUNT_ID}
            case _:
                raise ServiceError("InvalidAction", f"The local cloud's STS does not offer {operation or 'no action'}.")
        xml = (
            f'<{operation}Response xmlns="{_NAMESPACE}"><{operation}Result>{_elements(result)}</{operation}Result>'
            f"<ResponseMetadata><RequestId>{request.request_id}</RequestId></ResponseMetadata></{operation}Response>"
        )
        return HttpAnswer(200, {"content-type": "text/xml", "x-amzn-requestid": request.request_id}, xml.encode())

    def _assume_role(self, parameters: dict[str, str]) -> dict[str, object]:
        """Lend a role to whoever asks: the account has one owner, and trust policies are not evaluated."""
        role = _ROLE_ARN.fullmatch(parameters.get("RoleArn", ""))
        if role is None:
            raise ServiceError("ValidationError", f"{parameters.get('RoleArn', '')} is invalid")
        session = _session_name(parameters.get("RoleSessionName", ""), "roleSessionName")
        arn = f"arn:aws:sts::{role[1]}:assumed-role/{role[2]}/{session}"
        user_id = f"{new_access_key_id('AROA')}:{session}"
        key = self._keys.lend(arn=arn, user_id=user_id, seconds=_duration(parameters, _ROLE_SECONDS))
        return _credentials(key) | {"AssumedRoleUser": {"AssumedRoleId": user_id, "Arn": arn}, "PackedPolicySize": 0}

    def _federate(self, parameters: dict[str, str]) -> dict[str, object]:
        name = _session_name(parameters.get("Name", ""), "name")
        arn = f"arn:aws:sts::{ACCOUNT_ID}:federated-user/{name}"
        user_id = f"{ACCOUNT_ID}:{name}"
        key = self._keys.lend(arn=arn, user_id=user_id, seconds=_duration(parameters, _SESSION_SECONDS))
        return _credentials(key) | {"FederatedUser": {"FederatedUserId": user_id, "Arn": arn}, "PackedPolicySize": 0}


def _session_name(name: str, field: str) -> str:
    if _SESSION_NAME.fullmatch(name) is None:
        raise ServiceError(
            "ValidationError",
            f"1 validation error detected: Value '{name}' at '{field}' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [\w+=,.@-]*",
        )
    return name


def _duration(parameters: dict[str, str], limits: tuple[int, int, int]) -> int:
    least, most, default = limits
    text = parameters.get("DurationSeconds", str(default))
    seconds = bounded_number(text, most)
    if seconds is None or seconds < least:
        raise ServiceError(
            "ValidationError",
            f"1 validation error detected: Value '{text}' at 'durationSeconds' failed to satisfy constraint: "
            f"Member must have value between {least} and {most}",
        )
    return seconds


def _credentials(key: Key) -> dict[str, object]:
    return {
        "Credentials": {
            "AccessKeyId": key.access_key_id,
            "SecretAccessKey": key.secret_access_key,
            "SessionToken": key.session_token or "",
            "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(key.expires)),
        }
    }


def _elements(document: dict[str, object]) -> str:
    return "".join(
        f"<{name}>{_elements(value) if isinstance(value, dict) else escape(str(value))}</{name}>"
        for name, value in document.items()
    )
