"""Whatever keeps a question from being answered is a PredictionError, and stays of the kind that it is."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mojo_toolbox import AWSModel, Hub
from mojo_toolbox.errors import (
    AccessDeniedError,
    AWSError,
    ConfigurationError,
    EndpointNotFoundError,
    EndpointNotReadyError,
    LocalCloudError,
    NotFoundError,
    PredictionError,
    ProviderUnavailableError,
)
from mojo_toolbox.evaluation.routers.question import require_endpoint
from mojo_toolbox.evaluation.runs.asking import ends_asking
from mojo_toolbox.generation.endpoint_provider import EndpointProvider

KEY = {"product": "acme", "task": "routing", "model_id": "tiny"}
TURNS = [{"role": "user", "content": "hi"}]
TASKS = [{"name": "recap"}]


TIMES = {"CreationTime": 1, "LastModifiedTime": 1, "EndpointArn": "arn:" + "x" * 20}
NAME = "acme--routing--tiny--dev"


def listed(one):
    name, status = one if isinstance(one, tuple) else (one, "InService")
    return {"EndpointName": name, "EndpointStatus": status, **TIMES}


class FakeAWS(ThreadingHTTPServer):
    """Answers InvokeEndpoint with one refusal and looks at endpoints with theirs, and remembers what it was asked."""

    daemon_threads = True

    def __init__(
        self,
        code="ValidationError",
        text="Endpoint x of account 1 not found.",
        endpoints=(),
        status=400,
        more=False,
        described=None,
    ):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refusal, self.status = (code, text), status
        # Names, or names with a status; None where nobody may list them.
        self.endpoints, self.more, self.described = endpoints, more, described
        self.asked = []


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        target = self.headers.get("x-amz-target", "InvokeEndpoint").removeprefix("SageMaker.")
        self.server.asked.append({"ListEndpoints": "list", "DescribeEndpoint": "describe"}.get(target, "invoke"))
        if target == "ListEndpoints" and self.server.endpoints is None:
            self._answer(400, {"message": "no"}, "AccessDeniedException")
        elif target == "ListEndpoints":
            more = {"NextToken": "more"} if self.server.more else {}
            self._answer(200, {"Endpoints": [listed(one) for one in self.server.endpoints], **more}, "")
        elif target == "DescribeEndpoint" and self.server.described is not None:
            self._answer(200, {"EndpointName": "x", "EndpointConfigName": "c", **TIMES, **self.server.described}, "")
        else:
            code, text = self.server.refusal
            self._answer(self.server.status, {"message": text}, code)

    def _answer(self, status, document, code):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-amzn-requestid", "id-1")
        if code:
            self.send_header("x-amzn-errortype", code)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def aws(monkeypatch):
    servers = []

    def start(**options):
        server = FakeAWS(**options)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def _an_account(monkeypatch, tmp_path):
    for name in (
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
        "HTTPS_PROXY",
        "https_proxy",
        "MOJO_REGION_NAME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")


def without_credentials(patch, folder):
    patch.delenv("AWS_ACCESS_KEY_ID")
    patch.delenv("AWS_SECRET_ACCESS_KEY")


def with_profile(text):
    def prepare(patch, folder):
        without_credentials(patch, folder)
        patch.setenv("AWS_PROFILE", "p")
        (folder / "config").write_text(f"[profile p]\n{text}\n")

    return prepare


def with_variables(**variables):
    def prepare(patch, folder):
        for name, value in variables.items():
            patch.setenv(name, value)

    return prepare


def without_region(patch, folder):
    patch.delenv("AWS_DEFAULT_REGION")


def with_a_token_file_that_is_gone(patch, folder):
    without_credentials(patch, folder)
    patch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token")
    patch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r")


SSO = "sso_account_id=123456789012\nsso_role_name=r\nsso_region=eu-west-1\nsso_start_url=https://x.awsapps.com/start"


@pytest.mark.parametrize(
    ("prepare", "kind", "words"),
    [
        (without_credentials, AccessDeniedError, "no usable AWS credentials"),
        (with_profile(SSO), AccessDeniedError, "Run `aws sso login`"),
        (with_a_token_file_that_is_gone, AccessDeniedError, "/nowhere/token"),
        (with_profile("credential_process=/nowhere/program"), ConfigurationError, "/nowhere/program"),
        (with_profile("credential_process=/bin/false"), ConfigurationError, "configuration cannot be used"),
        (with_profile("credential_process=/bin/echo hello"), ConfigurationError, "configuration cannot be used"),
        (with_profile("credential_process=/bin/echo []"), ConfigurationError, "configuration cannot be used"),
        (with_variables(AWS_PROFILE="nope"), ConfigurationError, "nope"),
        (without_region, ConfigurationError, "No AWS region"),
        (with_variables(AWS_DEFAULT_REGION="eu west 1"), ConfigurationError, "eu west 1"),
        (with_variables(AWS_ENDPOINT_URL="not an address"), ConfigurationError, "not an address"),
        (with_variables(AWS_ENDPOINT_URL="http://127.0.0.1:99999"), AWSError, "Port out of range"),
        (with_variables(AWS_ENDPOINT_URL="ftp://127.0.0.1"), PredictionError, "ftp"),
        (with_variables(AWS_ENDPOINT_URL="http://127.0.0.1:9"), PredictionError, "could not be reached"),
        (with_variables(HTTPS_PROXY="http://127.0.0.1:9"), PredictionError, "proxy"),
        (with_variables(HTTPS_PROXY="http://[nonsense"), PredictionError, "could not be reached"),
        (
            with_variables(AWS_ACCESS_KEY_ID="two\nlines", AWS_ENDPOINT_URL="http://127.0.0.1:9"),
            PredictionError,
            "header",
        ),
    ],
)
def test_what_is_set_wrongly_is_a_prediction_error_of_its_kind(prepare, kind, words, tmp_path, monkeypatch):
    prepare(monkeypatch, tmp_path)
    model = AWSModel(**KEY, cloud_service="aws")
    for ask in (lambda: model.predict(TURNS, tasks=TASKS), lambda: model.predict(TURNS)):
        with pytest.raises(kind, match=words) as caught:
            ask()
        assert isinstance(caught.value, PredictionError)
        assert caught.value.endpoint_name == model.name
        assert "\n" not in str(caught.value).replace("\nlines", "")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ExpiredTokenException", AccessDeniedError),
        ("UnrecognizedClientException", AccessDeniedError),
        ("AccessDeniedException", AccessDeniedError),
        ("InvalidSignatureException", AccessDeniedError),
        ("ThrottlingException", AWSError),
        ("InternalFailure", AWSError),
    ],
)
def test_a_refusal_of_aws_is_both(aws, code, kind):
    server = aws(code=code, text="no")
    with pytest.raises(PredictionError) as caught:
        AWSModel(**KEY, cloud_service="aws").predict(TURNS, tasks=TASKS)
    assert isinstance(caught.value, kind)
    assert (caught.value.code, caught.value.request_id) == (code, "id-1")
    assert server.asked == ["invoke"]


def test_a_local_cloud_that_does_not_start_is_both(tmp_path):
    (tmp_path / "home").write_text("a file, where a folder should be")
    with pytest.raises(LocalCloudError) as caught:
        AWSModel(**KEY, cloud_service="local", home=tmp_path / "home").predict(TURNS, tasks=TASKS)
    assert isinstance(caught.value, PredictionError)


def test_a_missing_endpoint_comes_with_those_that_exist(aws):
    server = aws(endpoints=["zzz", "acme--routing--tiny--prod", "acme--routing--other--dev"])
    with pytest.raises(EndpointNotFoundError) as caught:
        AWSModel(**KEY, cloud_service="aws").predict(TURNS, tasks=TASKS)
    assert caught.value.known == ("acme--routing--tiny--prod", "acme--routing--other--dev", "zzz")
    assert "There is no endpoint 'acme--routing--tiny--dev' in eu-west-1." in str(caught.value)
    assert str(caught.value).endswith("Existing endpoints: acme--routing--tiny--prod, acme--routing--other--dev, zzz.")
    assert server.asked == ["invoke", "list"]


@pytest.mark.parametrize(
    ("endpoints", "known", "end"),
    [
        ([], (), "No endpoint exists there."),
        (None, None, "stage and region."),
        ([f"other-{n}" for n in range(11)], ..., "and 3 more."),
    ],
)
def test_the_list_never_hides_the_error(aws, endpoints, known, end):
    server = aws(endpoints=endpoints)
    with pytest.raises(EndpointNotFoundError, match="There is no endpoint 'acme--routing--tiny--dev'") as caught:
        AWSModel(**KEY, cloud_service="aws").predict(TURNS, tasks=TASKS)
    assert str(caught.value).endswith(end)
    assert known is ... or caught.value.known == known
    # Who may not list endpoints may still describe this one.
    assert server.asked == ["invoke", "list"] + (["describe"] if endpoints is None else [])


def test_the_handle_on_a_missing_endpoint_lists_them_too(aws):
    server = aws(text="Could not find endpoint.", endpoints=["acme--routing--tiny--prod"])
    endpoint = Hub(cloud_service="aws").endpoint(**KEY)
    with pytest.raises(
        NotFoundError, match=r"no endpoint 'acme--routing--tiny--dev'.*Existing endpoints: acme--routing--tiny--prod"
    ):
        endpoint.describe()
    assert server.asked.count("list") == 1


@pytest.mark.parametrize("status", ["Creating", "Deleting", "RollingBack", "OutOfService", "InService"])
def test_an_endpoint_that_is_there_is_not_said_to_be_missing(aws, status):
    server = aws(endpoints=[("other", "InService"), (NAME, status)])
    with pytest.raises(EndpointNotReadyError) as caught:
        AWSModel(**KEY, cloud_service="aws").predict(TURNS, tasks=TASKS)
    assert (caught.value.status, caught.value.reason, caught.value.endpoint_name) == (status, "", NAME)
    assert ("being deleted" if status == "Deleting" else status) in str(caught.value)
    assert "There is no endpoint" not in str(caught.value)
    assert caught.value.request_id == "id-1"
    assert server.asked == ["invoke", "list"]


def test_an_endpoint_that_failed_says_why(aws):
    why = {"EndpointStatus": "Failed", "FailureReason": "The primary container\ndid not pass the ping."}
    server = aws(endpoints=[(NAME, "Failed")], described=why)
    with pytest.raises(
        EndpointNotReadyError, match=f"'{NAME}' failed: The primary container did not pass the ping"
    ) as caught:
        AWSModel(**KEY, cloud_service="aws").predict(TURNS)
    assert caught.value.status == "Failed"
    assert caught.value.reason == "The primary container did not pass the ping."
    assert server.asked == ["invoke", "list", "describe"]


def test_a_reason_that_nobody_may_read_hides_no_failure(aws):
    aws(endpoints=[(NAME, "Failed")])
    with pytest.raises(EndpointNotReadyError, match="AWS gives no reason") as caught:
        AWSModel(**KEY, cloud_service="aws").predict(TURNS)
    assert (caught.value.status, caught.value.reason) == ("Failed", "")


@pytest.mark.parametrize("options", [{"endpoints": ["other"], "more": True}, {"endpoints": None}])
def test_an_endpoint_that_is_not_on_the_list_is_looked_for_by_its_name(aws, options):
    aws(**options, described={"EndpointStatus": "Creating"})
    with pytest.raises(EndpointNotReadyError, match="it is Creating"):
        AWSModel(**KEY, cloud_service="aws").predict(TURNS)


def test_the_handle_says_no_contradiction_either(aws):
    aws(text="Could not find endpoint.", endpoints=[(NAME, "Creating")])
    with pytest.raises(NotFoundError, match=f"AWS lists the endpoint '{NAME}' as Creating") as caught:
        Hub(cloud_service="aws").endpoint(**KEY).describe()
    assert "There is no endpoint" not in str(caught.value)


# Where the hash comes from is said wherever nothing is found under it.
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stage": "Dev_1!"}, "because stage 'Dev_1!' does not fit into AWS's names. Did you mean stage 'dev-1'?"),
        ({"product": "Acme"}, "because product 'Acme' does not fit into AWS's names. Did you mean product 'acme'?"),
        (
            {"task": "Route", "model_id": "tiny.x"},
            (
                "because task 'Route' and model_id 'tiny.x' do not fit into AWS's names. "
                "Did you mean task 'route', model_id 'tiny-x'?"
            ),
        ),
        ({"model_id": "\u65e5\u672c"}, "because model_id '\u65e5\u672c' does not fit into AWS's names."),
        ({"model_id": "m" * 50}, "have 70 characters together, and AWS takes 63."),
    ],
)
def test_a_hashed_name_under_which_nothing_is_found_says_where_its_hash_comes_from(aws, change, words):
    aws()
    names = {**KEY, **change}
    model = AWSModel(**names, cloud_service="aws")
    with pytest.raises(EndpointNotFoundError) as caught:
        model.predict(TURNS)
    assert f"There is no endpoint '{model.name}'" in str(caught.value)
    assert words in str(caught.value)
    hub = Hub(cloud_service="aws")
    aws(text="Could not find endpoint.")
    with pytest.raises(NotFoundError) as caught:
        hub.endpoint(**names).describe()
    assert model.name in str(caught.value)
    assert words in str(caught.value)


def test_a_clean_name_says_nothing_of_hashes(aws):
    aws()
    with pytest.raises(EndpointNotFoundError) as caught:
        AWSModel(**KEY, cloud_service="aws").predict(TURNS)
    assert "hash" not in str(caught.value)


def test_evaluation_ends_at_an_endpoint_that_is_out_of_service(aws):
    aws(endpoints=[(NAME, "Creating")])
    with pytest.raises(EndpointNotReadyError, match="Creating"):
        require_endpoint(AWSModel(**KEY, cloud_service="aws"))
    for status, ends in (("Creating", True), ("Failed", True), ("", False), ("InService", False)):
        assert ends_asking(EndpointNotReadyError("no", endpoint_name="e", status=status)) is ends


@pytest.mark.parametrize(
    ("status", "kind"), [("Creating", ProviderUnavailableError), ("Failed", EndpointNotReadyError)]
)
def test_writing_conversations_waits_for_an_endpoint_unless_it_failed(aws, status, kind):
    aws(endpoints=[(NAME, status)])
    provider = EndpointProvider(AWSModel(**KEY, cloud_service="aws"))
    with pytest.raises(kind):
        provider.complete(TURNS, max_tokens=1, temperature=0, seed=0)


def test_writing_conversations_ends_where_asking_can_never_succeed(aws, monkeypatch):
    aws(code="AccessDeniedException", text="no")
    with pytest.raises(AccessDeniedError):
        EndpointProvider(AWSModel(**KEY, cloud_service="aws")).complete(TURNS, max_tokens=1, temperature=0, seed=0)
    aws(code="ThrottlingException", text="no")
    with pytest.raises(ProviderUnavailableError):
        EndpointProvider(AWSModel(**KEY, cloud_service="aws")).complete(TURNS, max_tokens=1, temperature=0, seed=0)
    monkeypatch.setenv("AWS_PROFILE", "nope")
    with pytest.raises(ConfigurationError):
        EndpointProvider(AWSModel(**KEY, cloud_service="aws")).complete(TURNS, max_tokens=1, temperature=0, seed=0)
