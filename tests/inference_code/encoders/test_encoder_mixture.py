"""Two encoders answer together as one does, and each has the say that its weight gives it."""

import json
import math
import shutil

import pytest
from tiny_choice_encoder import save_bert, save_choice_encoder, tasks_message

from artifact.manifest import UnservableArtifactError

TASKS = {"book_table": "books a table for dinner", "weather": "forecast of rain", "会議": "meeting recap"}
CHOICES = [*TASKS, "none"]


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    for name in ("MOJO_DTYPE", "MOJO_BASE_MODEL", "MOJO_ENCODER_BASE_MODEL", "MOJO_ENCODER_WEIGHT"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Two artifacts, each of an encoder alone: of base models of other widths, and the second goes on with what runs."""
    root = tmp_path_factory.mktemp("alone")
    first, second = save_bert(root / "bert-first"), save_bert(root / "bert-second", width=48)
    return {
        "first": save_choice_encoder(root / "first", first, running=0.0, seed=0),
        "second": save_choice_encoder(root / "second", second, running=4.0, seed=1),
    }


@pytest.fixture(scope="module")
def both(alone, tmp_path_factory):
    return put_together(tmp_path_factory.mktemp("both") / "artifact", alone["first"], alone["second"])


def put_together(folder, first, second):
    shutil.copytree(first, folder)
    shutil.copytree(second, folder / "encoder")
    return folder


def served(folder):
    import inference

    return inference.model_fn(str(folder))


def weights(server, *turns, choices=CHOICES):
    import inference

    messages = [tasks_message(TASKS)]
    for place, text in enumerate(turns):
        messages.append({"role": ("user", "assistant")[place % 2], "content": text})
    body = json.dumps({"messages": messages, "structured_outputs": {"choice": choices}})
    choice = json.loads(inference.answer(server, body))["choices"][0]
    found = choice["choice_probabilities"]
    assert choice["message"]["content"] == max(found, key=found.get)
    return found


def pooled(p, q, weight):
    mixed = {name: p[name] ** (1 - weight) * q[name] ** weight for name in p}
    return {name: value / math.fsum(mixed.values()) for name, value in mixed.items()}


@pytest.mark.parametrize("choices", [CHOICES, list(TASKS), ["weather", "none"]], ids=["all", "no fallback", "one task"])
@pytest.mark.parametrize(
    "turns",
    [["User: rain"], ["User: rain", "weather", "Assistant: where?\nUser: a table"], [""]],
    ids=["first turn", "later turn", "nothing said"],
)
def test_probabilities_are_mixed_by_the_weight(alone, both, turns, choices):
    p, q = (weights(served(folder), *turns, choices=choices) for folder in alone.values())
    assert weights(served(both), *turns, choices=choices) == pytest.approx(pooled(p, q, 0.4), abs=1e-6)
    assert p != pytest.approx(q, abs=1e-3)


@pytest.mark.parametrize(("weight", "deciding"), [("0", "first"), ("1", "second")])
def test_at_the_ends_of_the_scale_one_of_them_decides(alone, both, settings, weight, deciding):
    settings.setenv("MOJO_ENCODER_WEIGHT", weight)
    assert weights(served(both), "User: rain") == pytest.approx(
        weights(served(alone[deciding]), "User: rain"), abs=1e-6
    )


def test_what_is_least_likely_is_still_told_apart_where_the_sure_fallback_is_not_listed(tmp_path):
    sure = [
        save_choice_encoder(tmp_path / name, save_bert(tmp_path / f"bert-{name}"), none=200.0, seed=seed)
        for seed, name in enumerate(["first", "second"])
    ]
    p, q = (weights(served(folder), "User: rain", choices=list(TASKS)) for folder in sure)
    both = served(put_together(tmp_path / "both", *sure))
    assert weights(both, "User: rain")["none"] == pytest.approx(1)
    assert weights(both, "User: rain", choices=list(TASKS)) == pytest.approx(pooled(p, q, 0.4), abs=1e-6)


def test_in_a_bare_conversation_both_go_on_from_what_they_decided_together(both):
    server = served(both)
    first = weights(server, "User: rain")
    running = max(first, key=first.get)
    said = "Assistant: the ticket\nUser: a table"
    bare, known = weights(server, f"User: rain\n{said}"), weights(server, "User: rain", running, said)
    assert bare == pytest.approx(known, abs=1e-6)


def test_each_reads_its_own_base_model_whatever_the_others_variable_says(alone, both, settings):
    expected = weights(served(both), "User: rain")
    for variable, name in (("MOJO_BASE_MODEL", "first"), ("MOJO_ENCODER_BASE_MODEL", "second")):
        settings.setenv(variable, json.loads((alone[name] / "manifest.json").read_text())["base_model"]["id"])
        assert weights(served(both), "User: rain") == pytest.approx(expected, abs=1e-6)
    settings.setenv("MOJO_DTYPE", "bfloat16")
    assert weights(served(both), "User: rain") == pytest.approx(expected, abs=0.1)


def test_a_second_one_without_weights_is_missed(both, tmp_path):
    folder = shutil.copytree(both, tmp_path / "artifact")
    (folder / "encoder" / "choice_encoder.safetensors").unlink()
    with pytest.raises(UnservableArtifactError, match=r"has no choice_encoder\.safetensors in .*encoder"):
        served(folder)


def test_one_that_computes_nan_fails_the_request(alone, tmp_path):
    from chat.request import ModelFailureError

    broken = save_choice_encoder(tmp_path / "broken", save_bert(tmp_path / "bert"), scale=1e38)
    for number, pair in enumerate([(alone["first"], broken), (broken, alone["first"])]):
        with pytest.raises(ModelFailureError):
            weights(served(put_together(tmp_path / str(number), *pair)), "User: rain")


def test_encoders_of_other_fallbacks_do_not_go_together(alone, tmp_path):
    folder = put_together(tmp_path / "artifact", alone["first"], alone["second"])
    config = folder / "encoder" / "choice_encoder.json"
    config.write_text(config.read_text().replace('"none"', '"other"'))
    with pytest.raises(UnservableArtifactError, match="'none' for the fallback, the other 'other'"):
        served(folder)


def test_a_weight_that_is_none_is_refused_before_anything_is_loaded(both, settings):
    settings.setenv("MOJO_ENCODER_WEIGHT", "2")
    with pytest.raises(ValueError, match="MOJO_ENCODER_WEIGHT is '2'"):
        served(both)
