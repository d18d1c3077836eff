"""Chat models: what is sent, what comes back, and what a refusal becomes. The server is real, on loopback."""

import gc
import json
import threading

import pytest
from scripted_chat_server import completion, refusal, serving

from mojo_toolbox.contract import Usage
from mojo_toolbox.errors import (
    ConfigurationError,
    DataError,
    EvaluationError,
    ModelError,
    PredictionError,
    PredictionTimeoutError,
)
from mojo_toolbox.evaluation.routers.chat_models import EndpointChat, OpenAIChat
from mojo_toolbox.model import Model, ServerReply

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(autouse=True)
def _nobodys_key(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server():
    with serving(lambda request: "hello") as running:
        yield running


def ask(server, answer=None, *, messages=HELLO, max_tokens=16, max_retries=0, choices=None, stop=(), **options):
    if answer is not None:
        server.answer = answer if callable(answer) else lambda request: answer
    structured = options.pop("structured", "choice")
    model = OpenAIChat("m", base_url=server.url, max_retries=max_retries, **options)
    return model.chat(messages, max_tokens=max_tokens, stop=stop, choices=choices, structured=structured)


# ------------------------------------------------------------------------------------------------ what is sent


def test_a_server_on_this_machine_is_asked_without_a_key(server):
    said = ask(server, max_tokens=7, stop=["\nUser:"])
    assert said.content == "hello"
    assert said.usage == Usage(prompt_tokens=10, completion_tokens=3, total_tokens=13)
    expected = {"model": "m", "messages": HELLO, "max_tokens": 7, "temperature": 0, "seed": 0, "stop": ["\nUser:"]}
    assert server.requests == [expected]


def test_no_stop_strings_are_no_field(server):
    ask(server)
    assert "stop" not in server.requests[0]


def test_key_and_address_come_from_the_environment(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    assert OpenAIChat("m").chat(HELLO, max_tokens=5).content == "hello"
    assert server.headers[0]["Authorization"] == "Bearer sk-environment"


def test_an_argument_beats_the_environment(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    ask(server, api_key="sk-argument")
    assert server.headers[0]["Authorization"] == "Bearer sk-argument"


def test_a_proxy_is_not_asked_for_this_machine(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert ask(server).content == "hello"


def test_choices_are_sent_as_vllm_takes_them(server):
    ask(server, "a", choices=["a", "none"])
    assert server.requests[0]["structured_outputs"] == {"choice": ["a", "none"]}


def test_choices_are_sent_as_openai_takes_them(server):
    said = ask(server, json.dumps({"task": "会議: [要約]"}), choices=["会議: [要約]", "none"], structured="json_schema")
    assert said.content == "会議: [要約]"
    schema = server.requests[0]["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["properties"]["task"]["enum"] == ["会議: [要約]", "none"]


@pytest.mark.parametrize("text", ["a", '{"job": "a"}', '{"task": 3}', "[1]", '{"task": "a"'])
def test_an_answer_that_keeps_to_no_schema_comes_as_it_is(server, text):
    assert ask(server, text, choices=["a"], structured="json_schema").content == text


def test_a_reasoning_models_refusals_are_learnt(server):
    def reasoning_model(request):
        for name in ("max_tokens", "temperature", "stop"):
            if name in request:
                return refusal(
                    400,
                    f"Unsupported parameter: '{name}' is not supported with this model."
                    + (" Use 'max_completion_tokens' instead." if name == "max_tokens" else ""),
                    param=name,
                    code="unsupported_parameter",
                )
        return "Thought.\nObservation: made up"

    server.answer = reasoning_model
    model = OpenAIChat("m", base_url=server.url, max_retries=0, reasoning_tokens=1000)
    assert model.chat(HELLO, max_tokens=10, stop=["\nObservation:"]).content == "Thought."
    assert len(server.requests) == 4
    assert server.requests[-1] == {"model": "m", "messages": HELLO, "max_completion_tokens": 1010, "seed": 0}
    model.chat(HELLO, max_tokens=10, stop=["\nObservation:"])
    assert len(server.requests) == 5


def test_an_unknown_seed_is_left_out(server):
    detail = [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": 0}]
    said = ask(server, lambda request: (422, {"detail": detail}) if "seed" in request else "hello")
    assert said.content == "hello"


def test_a_users_words_are_no_refusal(server):
    said = (422, {"detail": [{"loc": ["body"], "msg": "unknown field", "input": "which stop is next? max_tokens"}]})
    with pytest.raises(ModelError, match="422"):
        ask(server, said, stop=["x"])
    assert len(server.requests) == 1


# ------------------------------------------------------------------------------------------------ what comes back


def test_the_answer_ends_at_the_first_stop_string(server):
    assert ask(server, "one|two#three", stop=["#", "|", "?", "x", "y", "|"]).content == "one"
    assert len(server.requests[0]["stop"]) == 4


def test_an_answer_that_ran_out_of_tokens_says_so(server):
    assert ask(server, completion("hell", finish_reason="length")).cut_off
    assert not ask(server, completion("hello")).cut_off


def test_a_refusal_to_answer_is_what_was_said(server):
    assert ask(server, completion(None, refusal="I would rather not.")).content == "I would rather not."
    assert ask(server, completion(None)).content == ""


def test_cached_tokens_are_counted(server):
    answer = completion("hello")
    answer["usage"]["prompt_tokens_details"] = {"cached_tokens": 8}
    assert ask(server, answer).usage.cached_tokens == 8


def test_a_server_that_counts_no_tokens(server):
    answer = completion("hello")
    del answer["usage"]
    assert ask(server, answer).usage is None


@pytest.mark.parametrize(
    "usage",
    [None, [1, 2], {}, {"prompt_tokens": None, "completion_tokens": None}, {"prompt_tokens": 0, "completion_tokens": 0},
     {"prompt_tokens": "many", "completion_tokens": 3}, {"prompt_tokens": 10, "completion_tokens": -3},
     {"prompt_tokens": 10.5, "completion_tokens": 3}, {"prompt_tokens": True, "completion_tokens": 3}],
)  # fmt: skip
def test_what_is_no_count_of_tokens_is_none(server, usage):
    assert ask(server, completion("hello") | {"usage": usage}).usage is None


@pytest.mark.parametrize(
    "answer",
    [b"<html>Welcome</html>", {"error": "no"}, {"choices": []}, {"choices": None}, {"choices": [{}]}, [], {},
     completion([{"type": "text", "text": "x"}])],
)  # fmt: skip
def test_what_is_no_chat_completion_is_an_error(server, answer):
    with pytest.raises(ModelError, match=r"Is http://127\.0\.0\.1") as caught:
        ask(server, answer)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_ends_the_run_and_is_not_repeated(server, status):
    with pytest.raises(EvaluationError, match=f"refuses the key .{status}") as caught:
        ask(server, refusal(status, "Incorrect API key provided: sk-very-secret"), api_key="sk-very-secret")
    assert "sk-very-secret" not in str(caught.value)
    assert "OPENAI_API_KEY" in str(caught.value)


def test_an_unknown_model_ends_the_run(server):
    with pytest.raises(EvaluationError, match="has no model 'm'") as caught:
        ask(server, refusal(404, "The model `m` does not exist"))
    assert "The model `m` does not exist. Check" in str(caught.value)


def test_a_wrong_path_ends_the_run(server):
    with pytest.raises(EvaluationError, match="lacks /v1"):
        OpenAIChat("m", base_url=server.url.removesuffix("/v1"), max_retries=0).chat(HELLO, max_tokens=5)


def test_an_account_that_is_used_up_ends_the_run(server):
    with pytest.raises(EvaluationError, match="used up"):
        ask(server, refusal(429, "You exceeded your current quota.", code="insufficient_quota"))


def test_a_server_that_is_not_there_ends_the_run():
    with pytest.raises(EvaluationError, match=r"http://127\.0\.0\.1:9/v1 cannot be reached") as caught:
        OpenAIChat("m", base_url="http://user:secret@127.0.0.1:9/v1", max_retries=0).chat(HELLO, max_tokens=5)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_connection_that_is_lost_later_is_an_error_of_that_call(server):
    model = OpenAIChat("m", base_url=server.url, max_retries=0)
    assert model.chat(HELLO, max_tokens=5).content == "hello"

    def hang_up(request):
        raise ConnectionError

    server.answer = hang_up
    with pytest.raises(PredictionError, match="could not be reached"):
        model.chat(HELLO, max_tokens=5)


def test_a_rate_limit_is_waited_for(server):
    answers = iter([refusal(429, "Rate limit reached"), refusal(429, "Rate limit reached")])
    assert ask(server, lambda request: next(answers, "hello"), max_retries=2).content == "hello"


def test_a_rate_limit_that_stays_is_an_error_of_that_call(server):
    with pytest.raises(ModelError, match=r"m answered 429: Rate limit reached\.$") as caught:
        ask(server, refusal(429, "Rate limit reached"), max_retries=1)
    assert caught.value.status == 429
    assert caught.value.request_id == "r2"
    assert len(server.requests) == 2


def test_a_conversation_beyond_the_context_is_an_error_of_that_call(server):
    said = "'max_tokens' is too large: 16.\nThis model's maximum context length is 4 tokens."
    with pytest.raises(ModelError, match=r"400: 'max_tokens' is too large: 16\. This model's maximum context"):
        ask(server, refusal(400, said))
    assert len(server.requests) == 1


def test_a_long_refusal_is_one_short_line(server):
    with pytest.raises(ModelError) as caught:
        ask(server, (500, ("a long\n\ntrace " * 500).encode()))
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_a_server_that_cannot_restrict_answers_ends_the_run(server):
    said = refusal(400, "Unrecognized request argument supplied: structured_outputs")
    with pytest.raises(EvaluationError, match='Try the other of "choice" and "json_schema"'):
        ask(server, said, choices=["a"])


def test_silence_is_a_time_out(server):
    released = threading.Event()
    try:
        with pytest.raises(PredictionTimeoutError, match="did not answer in time"):
            ask(server, lambda request: released.wait(20) and "late", timeout=0.2)
    finally:
        released.set()


def test_half_a_character_is_refused(server):
    with pytest.raises(DataError, match="half of a surrogate pair"):
        ask(server, messages=[{"role": "user", "content": "\ud83d"}])


# ------------------------------------------------------------------------------------------------ before anything is sent


def test_openai_itself_wants_a_key():
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        OpenAIChat("gpt")


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://", "nonsense"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ConfigurationError, match="base_url"):
        OpenAIChat("m", base_url=url)


@pytest.mark.parametrize("key", ["sk-1\n", "sk 1", "schlüssel"])
def test_a_key_that_no_header_carries_is_refused_without_repeating_it(key):
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY") as caught:
        OpenAIChat("m", base_url="http://127.0.0.1:9/v1", api_key=key)
    assert key not in str(caught.value)


def test_connections_are_closed_with_the_model(server):
    ask(server)
    gc.collect()  # an open socket would be a ResourceWarning, which fails the test


# ------------------------------------------------------------------------------------------------ endpoints


class Scripted(Model):
    """An endpoint that answers bodies with bodies, as SageMaker does."""

    def __init__(self, content, *, completion_tokens=3, **choice):
        self.content = content
        self.completion_tokens = completion_tokens
        self.choice = choice
        self.bodies = []

    @property
    def name(self):
        return "an-endpoint"

    def _ask(self, body):
        self.bodies.append(json.loads(body))
        reply = completion(self.content, completion_tokens=self.completion_tokens)
        reply["choices"][0] |= self.choice
        return ServerReply(json.dumps(reply).encode(), "r1")


def test_an_endpoint_is_asked_for_plain_chat():
    endpoint = Scripted("hello")
    said = EndpointChat(endpoint).chat(HELLO, max_tokens=9)
    assert said.content == "hello"
    assert said.usage.total_tokens == 13
    assert not said.cut_off
    assert endpoint.bodies == [{"messages": HELLO, "max_tokens": 9, "temperature": 0.0}]


def test_an_endpoints_answer_ends_at_a_stop_string_whatever_follows():
    endpoint = Scripted("one\nObservation: two", completion_tokens=9)
    said = EndpointChat(endpoint).chat(HELLO, max_tokens=9, stop=["\nObs"])
    assert (said.content, said.cut_off) == ("one", False)
    assert endpoint.bodies[0]["stop"] == ["\nObs"]


def test_an_endpoint_that_ran_out_of_tokens_says_so():
    assert EndpointChat(Scripted("one two", completion_tokens=9)).chat(HELLO, max_tokens=9).cut_off


def test_an_endpoint_chooses_and_says_how_sure_it_is():
    endpoint = Scripted("a", choice_probabilities={"a": 0.75, "none": 0.25})
    said = EndpointChat(endpoint, name="mine").chat(HELLO, max_tokens=9, choices=["a", "none"])
    assert (said.content, said.probability) == ("a", 0.75)
    assert endpoint.bodies[0]["structured_outputs"] == {"choice": ["a", "none"]}


def test_an_endpoint_knows_no_schema():
    with pytest.raises(ConfigurationError, match='structured="choice"'):
        EndpointChat(Scripted("a")).chat(HELLO, max_tokens=9, choices=["a"], structured="json_schema")
