"""One session: the place and the credentials of calls, and our errors for AWS's refusals."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mojo_toolbox.clouds.aws import local
from mojo_toolbox.clouds.aws.regions import require_region
from mojo_toolbox.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    AWSError,
    CapacityError,
    ConfigurationError,
    NotFoundError,
    QuotaError,
)
from mojo_toolbox.settings import Settings

if TYPE_CHECKING:
    import boto3
    from botocore.client import BaseClient

# SageMaker ends an invocation at 60 s. Outlast it, so that the user sees its error and not ours.
_RUNTIME_READ_TIMEOUT = 70
# Seconds to wait for an answer that only helps to explain an error.
_GLANCE = 5
# What botocore lets through of a credentials' file or program that is missing or says something else than credentials.
CREDENTIAL_FAILURES = (OSError, ValueError)
# The local cloud takes requests for any region.
_WITHOUT_ACCOUNT = 'On this machine instead, without an account: cloud_service="local".'
LOCAL_REGION = "us-east-1"
_DENIED = {
    "403",
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
# Of botocore, by name: which of them there are depends on its version.
_CREDENTIAL_ERRORS = {
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "TokenRetrievalError",
    "SSOError",
    "SSOTokenLoadError",
    "UnauthorizedSSOTokenError",
}
_MISSING = {"404", "NoSuchBucket", "NoSuchKey", "NoSuchEntity", "ResourceNotFound", "ResourceNotFoundException"}
_CAPACITY = {"CapacityError", "InsufficientInstanceCapacity"}


class Session:
    """boto3 clients of one cloud, made on first use. Safe to share between threads."""

    def __init__(self, settings: Settings, *, start_local_cloud: bool = True) -> None:
        """Take the settings. With `start_local_cloud` a local cloud that does not run is started when first called."""
        self.settings = settings
        self._start_local_cloud = start_local_cloud
        self._lock = threading.Lock()
        self._boto_session: boto3.Session | None = None
        self._clients: dict[str, BaseClient] = {}
        self._local: local.LocalConnection | None = None
        self._account_id: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether calls go to the local cloud."""
        return self.settings.cloud_service == "local"

    @property
    def cli_option(self) -> str:
        """The options with which a suggested `mojo` command speaks to the same cloud."""
        return " --cloud local" if self.is_local else ""

    @property
    def region_name(self) -> str:
        """The region that calls go to.

        Raises:
            ConfigurationError: neither the argument, nor the environment, nor the AWS profile names one.
        """
        if self.is_local:
            return self.settings.region_name or LOCAL_REGION
        session = self._boto()
        with _configuration():
            region = session.region_name
        if not region:  # "" is what an emptied variable says
            raise ConfigurationError(
                f"No AWS region. Pass region_name=…, or set MOJO_REGION_NAME or AWS_DEFAULT_REGION. {_WITHOUT_ACCOUNT}"
            )
        require_region(str(region))
        return str(region)

    @property
    def account_id(self) -> str:
        """The account's number. Asks STS once."""
        if self._account_id is None:
            self._account_id = str(self.call("sts", "get_caller_identity")["Account"])
        return self._account_id

    def client(self, service: str) -> Any:
        """Return the boto3 client of `service`."""
        session, region = self._boto(), self.region_name
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make(session, service, region, self._config(service))
            return self._clients[service]

    def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """Send one request (`operation` in boto3's spelling) and return the answer.

        Raises:
            AWSError: or one of its kinds, with AWS's code and message.
        """
        client = self.client(service)
        with _our_errors(f"{service}:{operation}"):
            answer: dict[str, Any] = getattr(client, operation)(**parameters)
        return answer

    def pages(self, service: str, operation: str, /, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Send a request that lists something, and yield each page of the answer. The next one is asked for when needed.

        Raises:
            AWSError: as for `call()`.
        """
        paginator = self.client(service).get_paginator(operation)
        with _our_errors(f"{service}:{operation}"):
            yield from paginator.paginate(**parameters)

    def glance(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any] | None:
        """Send a request once and wait a few seconds at most. Return None if there is no answer, for any reason."""
        try:
            client = self._make_client(service, self._brief_config())
            answer: dict[str, Any] = getattr(client, operation)(**parameters)
        except Exception:  # noqa: BLE001 - what it is asked for is said without it, and what failed before stays the error
            return None
        return answer

    def _make_client(self, service: str, config: Any) -> Any:
        session, region = self._boto(), self.region_name
        with self._lock:
            return self._make(session, service, region, config)

    def _make(self, session: boto3.Session, service: str, region: str, config: Any) -> BaseClient:
        make: Callable[..., BaseClient] = session.client  # its overloads name every service
        url = self._local.endpoint_url if self._local else None
        with _configuration():
            return make(service, region_name=region, endpoint_url=url, config=config)

    def _boto(self) -> boto3.Session:
        with self._lock:
            if self._boto_session is None:
                import boto3

                if self.is_local:
                    self._local = local.connect(self.settings.home, start=self._start_local_cloud)
                    self._boto_session = boto3.Session(
                        aws_access_key_id=self._local.access_key_id,
                        aws_secret_access_key=self._local.secret_access_key,
                        region_name=self.region_name,
                        botocore_session=_without_users_files(),
                    )
                else:
                    with _configuration():
                        self._boto_session = boto3.Session(region_name=self.settings.region_name)
            return self._boto_session

    def _config(self, service: str) -> Any:
        from botocore.config import Config

        options = self._proxies()
        if service == "sagemaker-runtime":
            # One call a prediction: botocore would ask again after a time-out too, when the user has waited 70 s.
            return Config(
                read_timeout=_RUNTIME_READ_TIMEOUT, retries={"mode": "standard", "total_max_attempts": 1}, **options
            )
        return Config(retries={"mode": "standard", "total_max_attempts": 5}, **options)

    def _brief_config(self) -> Any:
        from botocore.config import Config

        options: dict[str, Any] = {"retries": {"mode": "standard", "total_max_attempts": 1}, **self._proxies()}
        return Config(connect_timeout=_GLANCE, read_timeout=_GLANCE, **options)

    def _proxies(self) -> dict[str, Any]:
        # A company's proxy does not lead to this machine's loopback.
        return {"proxies": {}} if self.is_local else {}


def _without_users_files() -> Any:
    """Return a botocore session that reads neither AWS_PROFILE nor `~/.aws`: the local cloud has credentials of its own."""
    import botocore.session

    nothing = (None, None, os.devnull, None)
    return botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": nothing,
            "credentials_file": nothing,
        }
    )


@contextmanager
def _configuration() -> Iterator[None]:
    """Turn botocore's error about the user's profile, region or configuration file into our exception.

    A program or a file that the configuration names fails in whatever way it likes, and botocore lets that through.
    """
    try:
        yield
    except Exception as error:
        raise ConfigurationError(
            f"AWS's configuration cannot be used: {str(error).rstrip('.')}. See AWS_PROFILE, the region, AWS_ENDPOINT_URL and "
            "~/.aws/config."
        ) from error


@contextmanager
def _our_errors(operation: str) -> Iterator[None]:
    """Turn AWS's refusals and botocore's own failures into our exceptions."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise refusal(error.response, operation=operation) from error
    except (BotoCoreError, *CREDENTIAL_FAILURES) as error:
        raise connection_failure(error, operation=operation) from error


def refusal(response: Mapping[str, Any], *, operation: str) -> AWSError:
    """Turn AWS's error answer into our exception."""
    code = str(response.get("Error", {}).get("Code", ""))
    text = str(response.get("Error", {}).get("Message", "")) or code
    request_id = str(response.get("ResponseMetadata", {}).get("RequestId", ""))
    facts = {"code": code, "operation": operation, "request_id": request_id}
    message = f"{operation} was refused ({code}): {text}"
    if code in _DENIED:
        return AccessDeniedError(f"{message} Check the credentials and their permissions.", **facts)
    if code == "ResourceLimitExceeded":
        return QuotaError(
            f"{message} Ask for a higher quota in the Service Quotas console, or take another type.", **facts
        )
    if code in _CAPACITY:
        return CapacityError(f"{message} Try another instance type or region.", **facts)
    if code in {"ResourceInUse", "BucketAlreadyExists"} or "already exist" in text:
        return AlreadyExistsError(message, **facts)
    # SageMaker says most "not found" as a ValidationException (measured on moto and documented for DescribeEndpoint).
    if code in _MISSING or "Could not find" in text or "not found" in text.lower() or "does not exist" in text:
        return NotFoundError(message, **facts)
    return AWSError(message, **facts)


def connection_failure(error: Exception, *, operation: str) -> AWSError:
    """Turn botocore's own failure (no credentials, no network, a bad parameter) into our exception."""
    name = type(error).__name__
    if _is_about_credentials(error):
        remedy = "`aws sso login`" if "SSO" in name else "`aws configure`"
        return AccessDeniedError(
            f"{operation}: no usable AWS credentials ({str(error).rstrip('.')}). Run {remedy}, or set AWS_ACCESS_KEY_ID and "
            f"AWS_SECRET_ACCESS_KEY. {_WITHOUT_ACCOUNT}",
            code=name,
            operation=operation,
        )
    return AWSError(f"{operation} could not be sent: {error}", code=name, operation=operation)


def _is_about_credentials(error: Exception) -> bool:
    """Whether botocore found no credentials, or could not get or refresh them, such as from a file that is gone."""
    from botocore.exceptions import BotoCoreError

    foreign = isinstance(error, OSError) and not isinstance(error, BotoCoreError)
    return foreign or type(error).__name__ in _CREDENTIAL_ERRORS
