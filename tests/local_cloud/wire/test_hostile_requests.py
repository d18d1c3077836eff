"""Well-signed nonsense: every service refuses it with a 4xx of its own, and never fails inside."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloud_clients import Clients
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from raw_http import Reply, send, signed

from mojo_toolbox.local_cloud.lifecycle import RunningCloud
from mojo_toolbox.local_cloud.wire.json_document import read_document
from mojo_toolbox.local_cloud.wire.protocol import ServiceError, bounded_number

TARGETS = {"sagemaker": "SageMaker", "logs": "Logs_20140328", "application-autoscaling": "AnyScaleFrontendService"}
OPERATIONS = [
    ("sagemaker", "CreateModel"),
    ("sagemaker", "ListTrainingJobs"),
    ("sagemaker", "AddTags"),
    ("sagemaker", "CreateModelPackageGroup"),
    ("sagemaker", "ListExperiments"),
    ("logs", "PutLogEvents"),
    ("logs", "DescribeLogStreams"),
    ("application-autoscaling", "RegisterScalableTarget"),
]


def ask(cloud: RunningCloud, service: str, operation: str, body: bytes) -> Reply:
    headers = {"x-amz-target": f"{TARGETS[service]}.{operation}", "content-type": "application/x-amz-json-1.1"}
    made = signed(cloud, "POST", "/", service=service, headers=headers, body=body)
    return send(cloud, "POST", "/", headers=made, body=body)


def query(cloud: RunningCloud, service: str, text: str) -> Reply:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    made = signed(cloud, "POST", "/", service=service, headers=headers, body=text.encode())
    return send(cloud, "POST", "/", headers=made, body=text.encode())


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"[" * 1_000_000,
        b'{"a": "\\ud83d"}',
        b'{"\\udc00": 1}',
        b'{"a": ["x", {"b": "\\ud83d\\ud83d"}]}',
        b'{"a": 1e999}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\xff"}',
        '{"a": 1}'.encode("utf-16"),
        b"[1]",
        b"null",
        b'"text"',
        b"{",
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)
def test_what_is_not_a_document_is_refused(cloud: RunningCloud, service, operation, body):
    reply = ask(cloud, service, operation, body)
    assert (reply.status, json.loads(reply.body)["__type"]) == (400, "SerializationException"), reply.body


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30, 2**31, 1.5])
@pytest.mark.parametrize(
    ("service", "operation", "request_"),
    [
        ("logs", "DescribeLogGroups", {"limit": ...}),
        ("logs", "GetLogEvents", {"logGroupName": "g", "logStreamName": "s", "limit": ...}),
        ("sagemaker", "ListModels", {"MaxResults": ...}),
        ("sagemaker", "ListExperiments", {"MaxResults": ...}),
        ("application-autoscaling", "DescribeScalableTargets", {"ServiceNamespace": "sagemaker", "MaxResults": ...}),
    ],
)
def test_numbers_that_do_not_fit_are_refused(cloud: RunningCloud, service, operation, request_, number):
    body = json.dumps({name: number if value is ... else value for name, value in request_.items()})
    assert ask(cloud, service, operation, body.encode()).status == 400


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
@pytest.mark.parametrize("field", ["startTime", "endTime"])
def test_times_of_logs_that_do_not_fit_are_refused(clients: Clients, field, number):
    request = {"logGroupName": "times", "logStreamName": "s", field: number}
    reply = ask(clients.connection, "logs", "GetLogEvents", json.dumps(request).encode())
    assert json.loads(reply.body)["__type"] == "InvalidParameterException"
    event = {"timestamp": number, "message": "m"}
    request = {"logGroupName": "times", "logStreamName": "s", "logEvents": [event]}
    reply = ask(clients.connection, "logs", "PutLogEvents", json.dumps(request).encode())
    assert json.loads(reply.body)["__type"] == "InvalidParameterException"


@pytest.mark.parametrize("moment", [1e300, -1e300, 253402300800, 2**63, "0001-01-01T00:00:00", "yesterday", "9" * 5000])
@pytest.mark.parametrize("operation", ["ListTrainingJobs", "ListModels", "ListModelPackageGroups", "ListTransformJobs"])
def test_dates_far_away_are_refused(cloud: RunningCloud, operation, moment):
    reply = ask(cloud, "sagemaker", operation, json.dumps({"CreationTimeAfter": moment}).encode())
    assert (reply.status, json.loads(reply.body)["__type"]) == (400, "ValidationException"), reply.body


FAR_DATES = [
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Fri, 01 Jan 99999 00:00:00 GMT",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "1 Jan 2020 00:00:00 +99999999999999",
    "9" * 5000,
]


@pytest.mark.parametrize("moment", [*FAR_DATES, "99999999T999999Z", "00010101T000000Z", "²0260101T000000Z"])
@pytest.mark.parametrize("name", ["date", "x-amz-date"])
@pytest.mark.parametrize(
    "authorization",
    [
        "AWS AKIA:signature",
        f"AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request,SignedHeaders=host,Signature={'0' * 64}",
        f"AWS4-HMAC-SHA256 Credential=AKIA/2026/us-east-1/sts/aws4_request,SignedHeaders=host,Signature={'0' * 64}",
    ],
)
def test_a_stranger_with_a_date_far_away_is_refused(cloud: RunningCloud, authorization, name, moment):
    headers = {name: moment, "authorization": authorization}
    assert send(cloud, "GET", "/", headers={key: text.encode("latin-1") for key, text in headers.items()}).status == 403


@pytest.mark.parametrize("moment", FAR_DATES)
@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since", "x-amz-copy-source-if-modified-since"])
def test_a_condition_with_a_date_far_away_breaks_nothing(clients: Clients, bucket, name, moment):
    clients("s3").put_object(Bucket=bucket, Key="k", Body=b"x")
    said = {name: moment} | ({"x-amz-copy-source": f"{bucket}/k"} if "copy" in name else {})
    method, path = ("PUT", f"/{bucket}/copy") if "copy" in name else ("GET", f"/{bucket}/k")
    reply = send(clients.connection, method, path, headers=signed(clients.connection, method, path, headers=said))
    assert reply.status in (200, 304, 412), reply.body


TOKENS = ["²", "٣", "-1", "9" * 5000, "9" * 19, "x", "e30=", "WyJhIl0=", "f/" + "9" * 30, "b/²", "=", "\x00", "ü"]


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize(
    ("service", "operation", "request_"),
    [
        ("logs", "DescribeLogGroups", {}),
        ("logs", "DescribeLogStreams", {"logGroupName": "tokens"}),
        ("logs", "GetLogEvents", {"logGroupName": "tokens", "logStreamName": "s"}),
        ("logs", "FilterLogEvents", {"logGroupName": "tokens"}),
        ("sagemaker", "ListModels", {}),
        ("sagemaker", "ListTrainingJobs", {"SortBy": "Name"}),
        ("sagemaker", "ListExperiments", {}),
        ("application-autoscaling", "DescribeScalableTargets", {"ServiceNamespace": "sagemaker"}),
    ],
)
def test_tokens_that_nobody_gave_out_are_refused(clients: Clients, service, operation, request_, token):
    logs = clients("logs")
    if not logs.describe_log_groups(logGroupNamePrefix="tokens")["logGroups"]:
        logs.create_log_group(logGroupName="tokens")
        logs.create_log_stream(logGroupName="tokens", logStreamName="s")
    field = "nextToken" if service == "logs" else "NextToken"
    reply = ask(clients.connection, service, operation, json.dumps(request_ | {field: token}).encode())
    # A number may be a place behind the end: an empty page. moto reads any integer.
    is_place = token.isdigit() or (service == "application-autoscaling" and token == "-1")
    assert reply.status in ((200, 400) if is_place else (400,)), reply.body


@pytest.mark.parametrize("token", [token for token in TOKENS if not token.endswith("0=")])
def test_tokens_of_s3_and_iam_that_nobody_gave_out_are_refused(clients: Clients, bucket, token):
    with pytest.raises(ClientError, match="InvalidArgument") as caught:
        clients("s3").list_objects_v2(Bucket=bucket, ContinuationToken=token)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert (
        query(clients.connection, "iam", f"Action=ListRoles&Version=2010-05-08&Marker=x{ord(token[0])}").status == 400
    )


@pytest.mark.parametrize("operation", ["Nope", "", "../x", "GetNothing", "CreateNothing", "Describe\u00ff"])
@pytest.mark.parametrize("service", [*TARGETS, "sts", "iam", "s4"])
def test_operations_that_do_not_exist_are_refused(cloud: RunningCloud, service, operation):
    if service in TARGETS:
        reply = ask(cloud, service, operation.encode().decode("ascii", "ignore") or "Nope", b"{}")
    else:
        reply = query(cloud, service, f"Action={operation}&Version=2010-05-08")
    assert 400 <= reply.status < 500, reply.body


@pytest.mark.parametrize(
    "text",
    [
        "Action=CreateRole&Version=2010-05-08",
        "Action=CreateRole&Version=2010-05-08&RoleName=a%00b&AssumeRolePolicyDocument=%7B%7D",
        "Action=GetRole&Version=2010-05-08",
        "Action=ListRoles&Version=2010-05-08&MaxItems=" + "9" * 5000,
        "Action=ListRoles&Version=2010-05-08&MaxItems=x",
        "Action=SimulatePrincipalPolicy&Version=2010-05-08&ActionNames.member.1=s3:Get",
        "Action=AddUserToGroup&Version=2010-05-08&GroupName=none",
        "Action=CreateServiceLinkedRole&Version=2010-05-08&AWSServiceName=x",
    ],
)
def test_requests_to_iam_that_lack_something_are_refused(cloud: RunningCloud, text):
    reply = query(cloud, "iam", text)
    assert 400 <= reply.status < 500, reply.body
    assert reply.code


def test_what_moto_does_not_find_is_said_to_be_missing(clients: Clients):
    with pytest.raises(ClientError, match="ResourceNotFound"):
        clients("sagemaker").describe_experiment(ExperimentName="nobody-made-this")
    # What was there before a failure is there after it.
    clients("sagemaker").create_experiment(ExperimentName="made")
    with pytest.raises(ClientError):
        clients("sagemaker").describe_experiment(ExperimentName="nobody-made-this")
    assert clients("sagemaker").describe_experiment(ExperimentName="made")["ExperimentName"] == "made"


@pytest.mark.parametrize("name", ["x-amz-checksum-nope", "x-amz-checksum-"])
def test_a_trailer_of_an_unknown_algorithm_is_refused(clients: Clients, bucket, name):
    path = f"/{bucket}/k"
    headers = signed(clients.connection, "PUT", path, headers={"x-amz-trailer": name}, body=b"x")
    assert send(clients.connection, "PUT", path, headers=headers, body=b"x").status == 400


def test_a_policy_that_is_too_deep_is_refused(clients: Clients, bucket):
    with pytest.raises(ClientError, match="MalformedPolicy"):
        clients("s3").put_bucket_policy(Bucket=bucket, Policy='{"Statement":' + "[" * 100_000)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(TOKENS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["logGroupName", "logStreamName", "logEvents", "nextToken", "NextToken", "MaxResults", "CreationTimeAfter", "Tags",
     "ResourceArn", "ModelName", "ExperimentName", "ServiceNamespace", "ResourceId", "startTime", "limit"]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(operation=("sagemaker", "ListTrainingJobs"), document={"Tags": [None]})
@example(operation=("sagemaker", "AddTags"), document={"ResourceArn": "arn:aws:sagemaker:a", "Tags": [None]})
@example(
    operation=("sagemaker", "CreateModelPackageGroup"), document={"ModelPackageGroupName": "g", "Tags": [{"Key": None}]}
)
@given(operation=st.sampled_from(OPERATIONS), document=st.dictionaries(FIELDS, JSON, max_size=6))
def test_no_document_makes_a_service_fail(cloud: RunningCloud, operation: tuple[str, str], document: dict[str, Any]):
    reply = ask(cloud, *operation, json.dumps(document).encode("utf-8", "surrogatepass"))
    assert reply.status < 500, reply.body


@given(document=st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_documents_are_read_as_they_were_written(document: dict[str, Any]):
    try:
        read = read_document(json.dumps(document).encode())
    except ServiceError:
        assert "Infinity" in json.dumps(document)
        return
    assert read == json.loads(json.dumps(document), parse_int=lambda text: _fitting(int(text)))


def _fitting(number: int) -> int | float:
    return number if -(2**63) <= number < 2**63 else float(number)


@given(st.text(max_size=30) | st.integers(min_value=0).map(str), st.integers(min_value=0, max_value=2**70))
def test_numbers_are_read_within_their_bounds(text: str, most: int):
    plain = text.isascii() and text.isdigit() and int(text) <= most
    assert bounded_number(text, most) == (int(text) if plain else None)
