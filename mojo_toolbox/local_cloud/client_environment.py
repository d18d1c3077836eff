"""The environment of other AWS clients: variables that lead them to the local cloud, or would lead them elsewhere."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from mojo_toolbox.local_cloud.lifecycle import RunningCloud

# Other credentials and other addresses, which clients take though the local cloud's are set too.

_MISLEADING = (
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ACCOUNT_ID",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)
# The services that the local cloud offers. An address of one service goes before the address of all.
_SERVICE_ADDRESSES = tuple(
    f"AWS_ENDPOINT_URL_{service}"
    for service in (
        "APPLICATION_AUTO_SCALING",
        "CLOUDWATCH_LOGS",
        "IAM",
        "S3",
        "SAGEMAKER",
        "SAGEMAKER_METRICS",
        "SAGEMAKER_RUNTIME",
        "STS",
    )
)
# The first makes clients pass over the address, and no address of one's own goes together with the others.
_SWITCHES = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")
_PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def to_set(connection: RunningCloud, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which any AWS client finds the local cloud. `environment` is the client's so far."""
    return {
        "AWS_ENDPOINT_URL": connection.endpoint_url,
        "AWS_ACCESS_KEY_ID": connection.credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": connection.credentials.secret_access_key,
        # boto3 and the command line read the second one alone, the other SDKs the first one.
        "AWS_REGION": connection.region,
        "AWS_DEFAULT_REGION": connection.region,
        **_against_the_profile(environment),
        **_past_the_proxy(connection, environment),
    }


def to_unset(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that would lead a client elsewhere. `environment` is the client's so far."""
    addresses = [name for name in environment if re.fullmatch(r"AWS_ENDPOINT_URL_[A-Za-z0-9_]+", name)]
    return [*_MISLEADING, *_SWITCHES, *sorted({*_SERVICE_ADDRESSES, *addresses})]


def shell_lines(connection: RunningCloud, environment: Mapping[str, str]) -> str:
    """Return the lines that a POSIX shell evaluates."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in to_set(connection, environment).items()]
    return "\n".join([f"unset {' '.join(to_unset(environment))}", *exports])


def _against_the_profile(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that undo settings of the user's default profile. Most often there are none."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, default_section="")
    try:
        parser.read(Path(environment.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser(), encoding="utf-8")
    except (configparser.Error, OSError, UnicodeError):
        return {}
    profile = parser["default"] if parser.has_section("default") else {}
    return {
        name: "false" for name in _SWITCHES if str(profile.get(name.removeprefix("AWS_").lower())).lower() == "true"
    }


def _past_the_proxy(connection: RunningCloud, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that keep requests to this machine from a company's proxy, if there is one."""
    host = str(urlsplit(connection.endpoint_url).hostname)
    spared = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [one.strip() for one in spared.split(",") if one.strip()]
    if not any(environment.get(name) for name in _PROXIES) or host in hosts or "*" in hosts:
        return {}
    return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join([*hosts, host]))
