"""`eval "$(mojo local env)"` leads any AWS client to the local cloud, whatever stood in its environment before."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError
from cloud_clients import Clients

from mojo_toolbox.local_cloud import client_environment
from mojo_toolbox.local_cloud.lifecycle import RunningCloud

CALLS = """
import boto3
boto3.client("s3").list_buckets()
boto3.client("sagemaker").list_models()
boto3.client("logs").describe_log_groups()
boto3.client("iam").list_roles()
print(boto3.client("sts").get_caller_identity()["Account"])
try:
    boto3.client("sagemaker-runtime").invoke_endpoint(EndpointName="none", Body=b"")
except Exception as error:
    print(error)
"""
CONFIG = """
[default]
region = eu-west-1
ignore_configured_endpoint_urls = true
use_fips_endpoint = true
services = elsewhere
aws_access_key_id = AKIAOTHER
aws_secret_access_key = other

[services elsewhere]
s3 =
  endpoint_url = http://127.0.0.1:9
"""
ELSEWHERE = "http://127.0.0.1:9"
MISLED = {
    "AWS_SESSION_TOKEN": "foreign",
    "AWS_SECURITY_TOKEN": "foreign",
    "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z",
    "AWS_PROFILE": "not-there",
    "AWS_DEFAULT_PROFILE": "not-there",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/not/there",
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/x",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": ELSEWHERE,
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x",
    "AWS_ENDPOINT_URL": ELSEWHERE,
    "AWS_ENDPOINT_URL_S3": ELSEWHERE,
    "AWS_ENDPOINT_URL_SAGEMAKER": ELSEWHERE,
    "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": ELSEWHERE,
    "AWS_ENDPOINT_URL_STS": ELSEWHERE,
    "AWS_ENDPOINT_URL_IAM": ELSEWHERE,
    "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": ELSEWHERE,
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "HTTP_PROXY": ELSEWHERE,
    "http_proxy": ELSEWHERE,
}


def ask(cloud: RunningCloud, shell: str, environment: dict[str, str]) -> list[str]:
    """Evaluate the exports in a shell, and call every service from it."""
    command = f'"{sys.executable}" -m mojo_toolbox.local_cloud env --home "{cloud.home}"'
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [shell, "-euc", f'eval "$({command})"; exec "{sys.executable}" -c \'{CALLS}\''],
        env={**plain, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return [*done.stdout.splitlines(), *done.stderr.splitlines()[-1:]]


ANSWERS = [
    "123456789012",
    (
        "An error occurred (ValidationError) when calling the InvokeEndpoint operation: Endpoint none of account "
        "123456789012 not found."
    ),
]


@pytest.mark.parametrize("shell", ["bash", "sh", "zsh"])
def test_clients_find_it_whatever_stood_in_the_environment(cloud: RunningCloud, shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    config = tmp_path / "config"
    config.write_text(CONFIG)
    assert ask(cloud, shell, {**MISLED, "AWS_CONFIG_FILE": str(config)}) == ANSWERS


def test_clients_find_it_in_a_clean_environment(cloud: RunningCloud):
    assert ask(cloud, "sh", {}) == ANSWERS


def test_addresses_of_services_that_nobody_knew_are_unset_and_odd_names_are_not_printed():
    found = client_environment.to_unset(
        {"AWS_ENDPOINT_URL_NEW_SERVICE": "x", "AWS_ENDPOINT_URL_$(id)": "x", "HOME": "/"}
    )
    assert "AWS_ENDPOINT_URL_NEW_SERVICE" in found
    assert not [name for name in found if not name.replace("_", "").isalnum()]
    assert "AWS_ENDPOINT_URL" not in found


def test_every_sdk_gets_the_region_from_the_variable_that_it_reads(cloud: RunningCloud):
    command = f'"{sys.executable}" -m mojo_toolbox.local_cloud env --home "{cloud.home}"'
    shell = f'eval "$({command})"; echo "$AWS_REGION $AWS_DEFAULT_REGION"'
    done = subprocess.run(
        ["sh", "-euc", shell], env={**os.environ, **MISLED}, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.split() == ["us-east-1", "us-east-1"]


def test_the_default_profile_is_contradicted_only_where_it_leads_elsewhere(cloud: RunningCloud, tmp_path):
    config = tmp_path / "config"
    assert len(client_environment.to_set(cloud, {"AWS_CONFIG_FILE": str(config)})) == 5
    config.write_text(
        "[default]\nregion = eu-west-1\nuse_fips_endpoint = False\n[profile x]\nuse_fips_endpoint = true\n"
    )
    assert len(client_environment.to_set(cloud, {"AWS_CONFIG_FILE": str(config)})) == 5
    config.write_text(CONFIG)
    found = client_environment.to_set(cloud, {"AWS_CONFIG_FILE": str(config)})
    assert found["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] == found["AWS_USE_FIPS_ENDPOINT"] == "false"
    assert "AWS_USE_DUALSTACK_ENDPOINT" not in found


def test_the_proxy_is_passed_by_only_where_there_is_one(cloud: RunningCloud):
    assert "NO_PROXY" not in client_environment.to_set(cloud, {})
    behind = client_environment.to_set(cloud, {"HTTP_PROXY": ELSEWHERE, "NO_PROXY": "intranet.example"})
    assert behind["no_proxy"] == behind["NO_PROXY"] == "intranet.example,127.0.0.1"
    assert "NO_PROXY" not in client_environment.to_set(cloud, {"HTTP_PROXY": ELSEWHERE, "no_proxy": "a,127.0.0.1"})


@pytest.mark.parametrize("service", ["s3", "sts", "sagemaker"])
def test_a_foreign_token_is_named_as_the_variable_that_it_comes_from(clients: Clients, service):
    own = clients.connection.credentials
    known = {"AccessKeyId": own.access_key_id, "SecretAccessKey": own.secret_access_key}
    calls = {"s3": "list_buckets", "sts": "get_caller_identity", "sagemaker": "list_models"}
    with pytest.raises(ClientError, match=r"goes without one\. Unset AWS_SESSION_TOKEN") as caught:
        getattr(clients(service, {**known, "SessionToken": "foreign"}), calls[service])()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    lent = clients("sts").get_session_token()["Credentials"]
    for token in ({}, {"SessionToken": "foreign"}):
        keys = {"AccessKeyId": lent["AccessKeyId"], "SecretAccessKey": lent["SecretAccessKey"], **token}
        with pytest.raises(ClientError, match=r"lent with this access key\. Set AWS_SESSION_TOKEN"):
            getattr(clients(service, keys), calls[service])()


def test_an_unknown_key_points_to_profiles(clients: Clients):
    with pytest.raises(ClientError, match="AWS_PROFILE"):
        clients("s3", {"AccessKeyId": "AKIAOTHER", "SecretAccessKey": "other"}).list_buckets()
