"""CloudWatch Logs: paging, tokens, filters."""

from __future__ import annotations

import pytest

from mojo_toolbox.local_cloud.services.logs.service import LogsService
from mojo_toolbox.local_cloud.state.database import CloudDatabase
from mojo_toolbox.local_cloud.wire.protocol import ServiceError

WHERE = {"logGroupName": "/g", "logStreamName": "s"}


@pytest.fixture
def logs(tmp_path):
    database = CloudDatabase(tmp_path / "logs.sqlite")
    yield LogsService(database)
    database.close()


def messages(page: dict) -> list[str]:
    return [event["message"] for event in page["events"]]


def test_forward_pages_end_when_the_token_comes_back_and_go_on_with_later_lines(logs):
    logs.append("/g", "s", [(index, f"line {index}") for index in range(5)])
    seen, token = [], {}
    while True:
        page = logs.handle("GetLogEvents", {**WHERE, "startFromHead": True, "limit": 2, **token})
        seen += messages(page)
        if page["nextForwardToken"] == token.get("nextToken"):
            break
        token = {"nextToken": page["nextForwardToken"]}
    assert seen == [f"line {index}" for index in range(5)]
    logs.append("/g", "s", [(9, "later")])
    assert messages(logs.handle("GetLogEvents", {**WHERE, "startFromHead": True, **token})) == ["later"]


def test_without_start_from_head_the_latest_lines_come_first_and_the_back_token_reaches_the_older_ones(logs):
    logs.append("/g", "s", [(index, str(index)) for index in range(5)])
    page = logs.handle("GetLogEvents", {**WHERE, "limit": 2})
    assert messages(page) == ["3", "4"]
    older = logs.handle("GetLogEvents", {**WHERE, "limit": 2, "nextToken": page["nextBackwardToken"]})
    assert messages(older) == ["1", "2"]
    assert messages(logs.handle("GetLogEvents", {**WHERE, "nextToken": page["nextForwardToken"]})) == []


def test_an_empty_stream_gives_a_token_that_finds_what_is_written_later(logs):
    logs.append("/g", "s", [])
    page = logs.handle("GetLogEvents", {**WHERE, "startFromHead": True})
    logs.append("/g", "s", [(1, "first")])
    assert messages(logs.handle("GetLogEvents", {**WHERE, "nextToken": page["nextForwardToken"]})) == ["first"]


def test_filters_find_terms_phrases_and_time_ranges(logs):
    logs.append("/g", "a", [(1, "ERROR disk full"), (2, "INFO fine")])
    logs.append("/g", "b", [(3, "ERROR memory")])

    def found(pattern: str, **more) -> list[str]:
        return messages(logs.handle("FilterLogEvents", {"logGroupName": "/g", "filterPattern": pattern, **more}))

    assert found("ERROR") == ["ERROR disk full", "ERROR memory"]
    assert found('"disk full"') == ["ERROR disk full"]
    assert found("ERROR -memory") == ["ERROR disk full"]
    assert found("?memory ?fine") == ["INFO fine", "ERROR memory"]
    assert found("%mem.ry%") == ["ERROR memory"]
    assert found("", startTime=2, logStreamNamePrefix="a") == ["INFO fine"]


def test_filtered_pages_join_without_a_gap(logs):
    logs.append("/g", "a", [(index, f"x {index}") for index in range(7)])
    seen, token = [], {}
    while True:
        page = logs.handle("FilterLogEvents", {"logGroupName": "/g", "limit": 3, **token})
        seen += messages(page)
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert seen == [f"x {index}" for index in range(7)]


def test_groups_and_streams_are_made_listed_and_deleted(logs):
    logs.handle("CreateLogGroup", {"logGroupName": "/g"})
    with pytest.raises(ServiceError, match="already exists"):
        logs.handle("CreateLogGroup", {"logGroupName": "/g"})
    logs.handle("CreateLogStream", WHERE)
    logs.handle("PutLogEvents", {**WHERE, "logEvents": [{"timestamp": 1, "message": "m"}]})
    streams = logs.handle("DescribeLogStreams", {"logGroupName": "/g", "orderBy": "LastEventTime"})["logStreams"]
    assert streams[0]["lastEventTimestamp"] == 1
    assert logs.handle("DescribeLogGroups", {"logGroupNamePrefix": "/"})["logGroups"][0]["logGroupName"] == "/g"
    logs.handle("DeleteLogStream", WHERE)
    with pytest.raises(ServiceError, match="log stream does not exist"):
        logs.handle("GetLogEvents", WHERE)
    logs.handle("DeleteLogGroup", {"logGroupName": "/g"})
    with pytest.raises(ServiceError, match="log group does not exist"):
        logs.handle("GetLogEvents", WHERE)


def test_a_line_of_megabytes_is_cut_into_events_that_fit(logs):
    logs.append("/g", "s", [(1, "é" * 400_000)])
    page = logs.handle("GetLogEvents", {**WHERE, "startFromHead": True})
    assert "".join(messages(page)) == "é" * 400_000
    assert max(len(message.encode()) for message in messages(page)) <= 256 * 1024


def test_wrong_requests_name_their_member(logs):
    with pytest.raises(ServiceError, match="'limit'"):
        logs.handle("GetLogEvents", {**WHERE, "limit": 0})
    logs.append("/g", "s", [])
    with pytest.raises(ServiceError, match="nextToken is invalid"):
        logs.handle("GetLogEvents", {**WHERE, "nextToken": "x"})


def events(*times: int, message: str = "m") -> list[dict]:
    return [{"timestamp": time, "message": message} for time in times]


@pytest.mark.parametrize(
    ("operation", "request_", "says"),
    [
        ("PutLogEvents", {**WHERE, "logEvents": events(2, 1)}, "must be in chronological order"),
        ("PutLogEvents", {**WHERE, "logEvents": events(1, 86_400_002)}, "cannot span more than 24 hours"),
        ("PutLogEvents", {**WHERE, "logEvents": events(*[1] * 5, message="x" * 250_000)}, "exceeds limit of 1048576"),
        ("PutLogEvents", {**WHERE, "logEvents": events(1), "entity": {"attributes": {"a": "b"}}}, "entity"),
        ("CreateLogGroup", {"logGroupName": "/n", "tags": {"a": "b"}}, "keeps no tags of log groups"),
        ("CreateLogGroup", {"logGroupName": "/n", "logGroupClass": "DELIVERY"}, "takes STANDARD"),
        ("CreateLogGroup", {"logGroupName": "/n", "deletionProtectionEnabled": True}, "deletionProtectionEnabled"),
        ("DescribeLogGroups", {"logGroupNamePrefix": "/g", "logGroupNamePattern": "g"}, "not both"),
        ("DescribeLogGroups", {"logGroupIdentifiers": ["/g"]}, "does not offer"),
        ("DescribeLogStreams", {"logGroupName": "/g", "logGroupIdentifier": "/g"}, "not both"),
        (
            "DescribeLogStreams",
            {"logGroupName": "/g", "orderBy": "LastEventTime", "logStreamNamePrefix": "s"},
            "Cannot order by LastEventTime with a logStreamNamePrefix",
        ),
        (
            "FilterLogEvents",
            {"logGroupName": "/g", "logStreamNames": ["s"], "logStreamNamePrefix": "s"},
            "logStreamNames or logStreamNamePrefix, not both",
        ),
        ("FilterLogEvents", {"logGroupName": "/g", "startFromHead": False}, "takes True for"),
    ],
)
def test_requests_that_cloudwatch_refuses_or_that_are_not_done_here(logs, operation, request_, says):
    logs.append("/g", "s", [])
    with pytest.raises(ServiceError, match=says) as caught:
        logs.handle(operation, request_)
    assert caught.value.code == "InvalidParameterException"
    assert [group["logGroupName"] for group in logs.handle("DescribeLogGroups", {})["logGroups"]] == ["/g"]


def test_names_of_groups_are_found_in_their_case(logs):
    logs.append("/aws/DataLogs", "s", [])
    found = [len(logs.handle("DescribeLogGroups", {"logGroupNamePattern": p})["logGroups"]) for p in ("Data", "data")]
    assert found == [1, 0]
