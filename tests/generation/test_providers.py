"""What writes: servers and their faults, endpoints, models in this process, recordings."""

import json
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from misfit_bases import classifier, without_head
from scripted_chat_server import completion, refusal, serving
from written import Model

from mojo_toolbox.contract import Usage
from mojo_toolbox.errors import (
    AccessDeniedError,
    AWSError,
    BaseModelNotFoundError,
    ConfigurationError,
    DataError,
    EndpointNotFoundError,
    EndpointNotReadyError,
    GenerationError,
    ModelError,
    ProviderUnavailableError,
)
from mojo_toolbox.generation.endpoint_provider import EndpointProvider
from mojo_toolbox.generation.openai_provider import OpenAIProvider
from mojo_toolbox.generation.providers import Reply, most_tokens, request_seed
from mojo_toolbox.generation.replay import RecordingProvider, ReplayProvider
from mojo_toolbox.model import Model as DeployedModel
from mojo_toolbox.model import ServerReply

HELLO = [{"role": "user", "content": "Hello"}]


def ask(provider, messages=HELLO, **options):
    return provider.complete(messages, **({"max_tokens": 9, "temperature": 0.7, "seed": 5} | options))


# ------------------------------------------------------------------------------------------------ OpenAI-compatible


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with serving(lambda request: "hello") as running:
        yield running


def test_a_server_is_asked_once_with_temperature_and_seed(server):
    server.answer = lambda request: completion("hello", finish_reason="length")
    said = ask(OpenAIProvider("m", base_url=server.url))
    usage = Usage(prompt_tokens=10, completion_tokens=3, total_tokens=13)
    assert said == Reply("hello", usage, cut_off=True)
    assert server.requests == [{"model": "m", "messages": HELLO, "max_tokens": 9, "temperature": 0.7, "seed": 5}]


@pytest.mark.parametrize(
    ("answer", "limited"),
    [
        (refusal(500, "boom"), False),
        (refusal(502, "boom"), False),
        ((503, b"<html>busy</html>"), False),
        (refusal(408, "slow"), False),
        (refusal(429, "Rate limit reached"), True),
        (b"<html>Welcome</html>", False),
        ({"choices": []}, False),
    ],
)
def test_what_may_pass_is_unavailable_and_was_not_paid_for(server, answer, limited):
    server.answer = lambda request: answer
    with pytest.raises(ProviderUnavailableError) as caught:
        ask(OpenAIProvider("m", base_url=server.url))
    assert (caught.value.rate_limited, caught.value.maybe_paid) == (limited, False)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    ],
)
def test_a_server_says_how_long_it_wants_to_be_left_alone(server, headers, seconds):
    server.answer = lambda request: (*refusal(429, "Rate limit reached"), headers)
    with pytest.raises(ProviderUnavailableError) as caught:
        ask(OpenAIProvider("m", base_url=server.url))
    assert caught.value.retry_after == seconds


def test_a_date_is_taken_too(server):
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    server.answer = lambda request: (*refusal(503, "busy"), {"retry-after": until})
    with pytest.raises(ProviderUnavailableError) as caught:
        ask(OpenAIProvider("m", base_url=server.url))
    assert 80 < caught.value.retry_after <= 100


def test_a_lost_connection_may_have_been_paid_for(server):
    def hang_up(request):
        raise ConnectionError

    provider = OpenAIProvider("m", base_url=server.url)
    ask(provider)
    server.answer = hang_up
    for asked in (provider, OpenAIProvider("m", base_url=server.url)):
        with pytest.raises(ProviderUnavailableError) as caught:
            ask(asked)
        assert caught.value.maybe_paid


def test_what_a_server_that_went_away_never_read_was_not_paid_for():
    with serving(lambda request: "hello") as server:
        provider = OpenAIProvider("m", base_url=server.url)
        ask(provider)
    with pytest.raises(ProviderUnavailableError) as caught:
        ask(provider)
    assert not caught.value.maybe_paid


def test_silence_may_have_been_paid_for(server):
    released = threading.Event()
    server.answer = lambda request: released.wait(20) and "late"
    try:
        with pytest.raises(ProviderUnavailableError, match="in time") as caught:
            ask(OpenAIProvider("m", base_url=server.url, timeout=0.2))
        assert caught.value.maybe_paid
    finally:
        released.set()


def test_a_server_that_is_not_there_may_still_start():
    with pytest.raises(ProviderUnavailableError, match="cannot be reached") as caught:
        ask(OpenAIProvider("m", base_url="http://127.0.0.1:9/v1"))
    assert not caught.value.maybe_paid


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refusal(401, "bad key"), "refuses the key"),
        (refusal(404, "no such model"), "has no model"),
        (refusal(429, "You exceeded your quota", code="insufficient_quota"), "used up"),
    ],
)
def test_what_stands_ends_the_run(server, answer, words):
    server.answer = lambda request: answer
    with pytest.raises(GenerationError, match=words) as caught:
        ask(OpenAIProvider("m", base_url=server.url))
    assert not isinstance(caught.value, ProviderUnavailableError)


def test_a_chat_that_is_refused_is_of_no_use_alone(server):
    server.answer = lambda request: refusal(400, "content filter")
    with pytest.raises(ModelError, match="400: content filter"):
        ask(OpenAIProvider("m", base_url=server.url))


def test_a_model_that_thinks_may_cost_more_than_its_answer(server):
    server.answer = lambda request: (
        refusal(400, "Unsupported parameter: 'max_tokens'") if "max_tokens" in request else "hello"
    )
    provider = OpenAIProvider("m", base_url=server.url)
    assert most_tokens(provider, 100) > 100
    ask(provider)
    assert most_tokens(provider, 100) > 100
    server.answer = lambda request: "hello"
    plain = OpenAIProvider("m", base_url=server.url)
    ask(plain)
    assert most_tokens(plain, 100) == 100


# ------------------------------------------------------------------------------------------------ endpoints


class Deployed(DeployedModel):
    """An endpoint that answers as it is told."""

    name = "an-endpoint"

    def __init__(self, said):
        self.said = said
        self.bodies = []

    def _ask(self, body):
        self.bodies.append(json.loads(body))
        if isinstance(self.said, Exception):
            raise self.said
        return ServerReply(json.dumps(completion(self.said)).encode(), "r1")


def test_an_endpoint_is_asked_with_temperature_and_seed():
    model = Deployed("hello")
    said = ask(EndpointProvider(model, name="mine"))
    assert (said.text, said.cut_off) == ("hello", False)
    assert model.bodies == [{"messages": HELLO, "max_tokens": 9, "temperature": 0.7, "seed": 5}]


@pytest.mark.parametrize(
    "fault",
    [
        EndpointNotReadyError("Creating", endpoint_name="e"),
        ModelError("500", endpoint_name="e", status=500),
        ModelError("429", endpoint_name="e", status=429),
        AWSError("slow down", code="ThrottlingException"),
    ],
)
def test_an_endpoint_may_answer_later(fault):
    with pytest.raises(ProviderUnavailableError):
        ask(EndpointProvider(Deployed(fault)))


@pytest.mark.parametrize(
    "fault",
    [
        EndpointNotFoundError("none", endpoint_name="e"),
        ModelError("400", endpoint_name="e", status=400),
        AccessDeniedError("no", code="AccessDenied"),
    ],
)
def test_what_an_endpoint_will_never_answer_stays_what_it_is(fault):
    with pytest.raises(type(fault)) as caught:
        ask(EndpointProvider(Deployed(fault)))
    assert caught.value is fault


# ------------------------------------------------------------------------------------------------ in this process


def test_a_model_in_this_process_writes_the_same_for_the_same_seed(tiny_base):
    from mojo_toolbox.generation.local_provider import LocalProvider

    provider = LocalProvider(str(tiny_base))
    one = ask(provider)
    assert one == ask(provider)
    assert one != ask(provider, seed=6)
    assert one.usage.completion_tokens <= 9
    assert ask(provider, temperature=0) == ask(provider, temperature=0, seed=6)
    assert provider.name == tiny_base.name


def test_a_chat_beyond_the_context_is_refused(tiny_base):
    from mojo_toolbox.generation.local_provider import LocalProvider

    with pytest.raises(ModelError, match="tokens; the prompt has"):
        ask(LocalProvider(str(tiny_base)), max_tokens=10**6)


def test_a_folder_that_is_no_model_is_said(tmp_path):
    from mojo_toolbox.generation.local_provider import LocalProvider

    with pytest.raises(BaseModelNotFoundError, match=r"config\.json"):
        LocalProvider(str(tmp_path))


def test_a_model_that_lacks_weights_is_refused(tmp_path):
    from mojo_toolbox.generation.local_provider import LocalProvider

    with pytest.raises(BaseModelNotFoundError, match=r"it lacks lm_head\.weight"):
        LocalProvider(str(without_head(tmp_path / "headless")))
    with pytest.raises(ConfigurationError, match="no causal language model"):
        LocalProvider(str(classifier(tmp_path / "classifier")))


# ------------------------------------------------------------------------------------------------ recordings


def test_an_answer_comes_back_as_it_was(tmp_path):
    said = Reply("会議 \ud83d", Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3), cut_off=True)
    ask(RecordingProvider(Model(lambda request: said), tmp_path / "a.jsonl"))
    replayed = ReplayProvider(tmp_path / "a.jsonl")
    assert ask(replayed) == said
    assert (replayed.name, len(replayed)) == ("model-t", 1)


def test_recordings_are_added_to_and_half_a_line_is_cut(tmp_path):
    path = tmp_path / "a.jsonl"
    ask(RecordingProvider(Model(lambda request: "one"), path), seed=1)
    path.write_bytes(path.read_bytes() + b'{"request_sha2')
    ask(RecordingProvider(Model(lambda request: "two"), path), seed=2)
    replayed = ReplayProvider(path)
    assert [ask(replayed, seed=seed).text for seed in (1, 2)] == ["one", "two"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 6}, "was not asked there"),
        ({"messages": [{"role": "user", "content": "Hi"}]}, "answers another prompt there"),
        ({"max_tokens": 10}, "answers another prompt there"),
    ],
)
def test_what_was_not_recorded_is_no_guess(tmp_path, change, words):
    ask(RecordingProvider(Model(lambda request: "one"), tmp_path / "a.jsonl"))
    with pytest.raises(GenerationError, match=words):
        ask(ReplayProvider(tmp_path / "a.jsonl"), **change)


@pytest.mark.parametrize(
    "line",
    ["{}", "nonsense", '{"request_sha256": "a", "seed": true, "model": "m", "text": "x"}',
     '{"request_sha256": "a", "seed": 1, "model": "m", "text": "x", "usage": 7}'],
)  # fmt: skip
def test_a_file_that_is_no_recording_is_said_with_its_line(tmp_path, line):
    path = tmp_path / "a.jsonl"
    ask(RecordingProvider(Model(lambda request: "one"), path))
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DataError, match=r"a\.jsonl:2: "):
        ReplayProvider(path)


# ------------------------------------------------------------------------------------------------ seeds


def test_seeds_differ_and_fit_into_32_bits():
    seeds = {request_seed(run, number, attempt) for run in range(5) for number in range(50) for attempt in range(4)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert request_seed(1, 23) != request_seed(12, 3)
