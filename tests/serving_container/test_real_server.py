"""The Hugging Face serving container's own server (multi-model-server, its toolkit) starts on our archives and answers."""

import json
import tarfile

import psutil
import pytest
from real_server import ask_the_real_server

from mojo_toolbox.clouds.aws.container_errors import read_container_error
from mojo_toolbox.contract import chat_request, first_question, parse_chat_reply

# peft 0.21.2 still reads an attribute that transformers 5.23 deprecates; nothing of ours does.
pytestmark = [
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
]
CHOICES = ["book_table", "get_weather", "none"]
DECISION = chat_request(
    [
        {"role": "system", "content": "Name the task.\na table for dinner: book_table\nrain: get_weather\nnone: none"},
        {"role": "user", "content": "User: book a table for dinner"},
    ],
    choices=CHOICES,
)
CHAT = chat_request([{"role": "user", "content": "Hello"}], max_tokens=3)
MALFORMED = {"messages": "Hello"}


def ask(packed, *questions):
    return ask_the_real_server(packed.archive, questions, environment=packed.environment, mounted=packed.mounted)


def probabilities(answer):
    return parse_chat_reply(answer["body"].encode()).choice_probabilities


def test_a_job_says_what_its_artifact_is_to_the_server(trained):
    for kind in ("language_model", "encoder"):
        assert (trained(kind, kind) / "MAR-INF" / "MANIFEST.json").is_file()


@pytest.mark.parametrize("kind", ["adapter", "merged", "base only", "encoder", "pair", "two encoders"])
def test_every_archive_of_the_hub_starts_and_answers(trained, packed, kind):
    adapter = lambda: trained("language_model", "language_model")  # noqa: E731 - trained where it is needed only
    encoder = lambda: trained("encoder", "encoder")  # noqa: E731
    made = {
        "adapter": lambda: packed(adapter()),
        "merged": lambda: packed(trained("merged", "language_model", merge_weights="true")),
        "base only": lambda: packed(None),
        "encoder": lambda: packed(encoder()),
        "pair": lambda: packed(adapter(), encoder()),
        "two encoders": lambda: packed(encoder(), encoder()),
    }[kind]()
    found = ask(made, first_question(), DECISION, CHAT, MALFORMED)
    assert found.started, found.log
    writes = kind not in ("encoder", "two encoders")
    assert found.statuses == [200, 200, 200 if writes else 400, 400], found.answers
    assert parse_chat_reply(found.answers[1]["body"].encode()).content in CHOICES
    assert sum(probabilities(found.answers[1]).values()) == pytest.approx(1)
    # A refusal is our own line, not the server's words for an exception.
    assert (
        found.answers[3]["body"] == '{"error": "\'messages\' must be a list of at least one message, not a string."}\n'
    )
    workers = [line for line in found.processes if "model_service_worker" in line]
    # The worker, and the process that it forked for the one connection.
    assert len(workers) == 2, workers
    assert f"Computing with {psutil.cpu_count(logical=False) or 1} threads" in found.log


def test_several_adapters_are_chosen_by_name_or_header_and_their_failures_keep_their_status(several, packed):
    def named(name):
        return {**DECISION, "model": name}

    header = (DECISION, {"X-Amzn-SageMaker-Adapter-Identifier": "support"})
    found = ask(
        packed(several), first_question(), named("sales"), named("support"), header, named("who"), named("broken")
    )
    assert found.started, found.log
    assert found.statuses == [400, 200, 200, 200, 400, 500], found.answers
    sales, support, by_header = (probabilities(answer) for answer in found.answers[1:4])
    assert support != pytest.approx(sales, abs=1e-2)
    assert support == pytest.approx(by_header, abs=1e-4)
    errors = [read_container_error(found.answers[place]["body"]) for place in (0, 4, 5)]
    assert all(error.handled for error in errors)
    assert "several adapters" in errors[0].reason
    assert "'sales', 'support'" in errors[1].reason


def test_a_model_that_does_not_load_is_told_from_a_request_that_is_refused(packed, tmp_path):
    broken = packed(None)
    found = ask_the_real_server(broken.archive, [first_question()], environment=broken.environment, mounted={})
    assert found.started, found.log
    assert found.statuses == [400]
    error = read_container_error(found.answers[0]["body"])
    assert json.loads(found.answers[0]["body"])["type"] == "InternalServerException"
    assert not error.handled
    assert "base_model" in error.reason
    assert "\n" not in error.reason


def test_without_its_own_manifest_the_server_takes_ours_and_does_not_start(trained, packed, tmp_path):
    whole = packed(trained("language_model", "language_model"))
    with tarfile.open(whole.archive) as old, tarfile.open(tmp_path / "model.tar.gz", "w:gz") as new:
        for member in old:
            if not member.name.startswith("MAR-INF"):
                new.addfile(member, old.extractfile(member))
    found = ask_the_real_server(
        tmp_path / "model.tar.gz", [first_question()], environment=whole.environment, mounted=whole.mounted
    )
    assert not found.started
    assert "LegacyManifest" in found.log
