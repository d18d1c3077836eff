"""The encoder's network: what it makes of a question does not depend on the list's order, on neighbours or on length."""

import math

import pytest
import torch
from tiny_choice_encoder import save_bert
from tiny_encoder import save_tiny_encoder

from model_code.encoder_questions import FALLBACK, ChoiceQuestion

CHOICES = ("book table. a table for dinner", "get weather. the rain tomorrow", "bus. a bus ticket", "recap")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    from model_code.choice_encoder import ChoiceEncoder

    torch.manual_seed(0)
    model = ChoiceEncoder.from_base(str(save_bert(tmp_path_factory.mktemp("bert")))).eval()
    with torch.no_grad():
        model.comparing.out.weight.normal_(std=0.5)
    return model


def asked(user="rain tomorrow", running=None, choices=CHOICES, **parts):
    return ChoiceQuestion(user, parts.get("assistant", ""), parts.get("earlier", ""), choices, running)


def probabilities(model, *questions):
    return [row.exp() for row in model.log_probabilities(questions)]


def test_probabilities_of_the_fallback_and_all_choices_sum_to_one(encoder):
    (row,) = probabilities(encoder, asked())
    assert row.shape == (1 + len(CHOICES),)
    assert float(row.sum()) == pytest.approx(1)


def test_the_order_of_the_list_changes_nothing(encoder):
    (row,) = probabilities(encoder, asked(running=1))
    (turned,) = probabilities(encoder, asked(running=2, choices=CHOICES[::-1]))
    assert turned.tolist() == pytest.approx([row[0].item(), *row[1:].flip(0).tolist()], abs=1e-5)


def test_questions_asked_together_do_not_see_each_other(encoder):
    alone = [probabilities(encoder, question)[0] for question in (asked(), asked("thanks bye", choices=CHOICES[:2]))]
    together = probabilities(encoder, asked(), asked("thanks bye", choices=CHOICES[:2]))
    for one, other in zip(alone, together, strict=True):
        assert one.tolist() == pytest.approx(other.tolist(), abs=1e-5)


def test_what_is_running_and_what_was_said_before_count(encoder):
    rows = probabilities(
        encoder, asked(), asked(running=0), asked(assistant="a bus?"), asked(earlier="recap the meeting")
    )
    for other in rows[1:]:
        assert (other - rows[0]).abs().max() > 1e-4


def test_a_list_of_one_choice_or_none_can_be_asked_about(encoder):
    one, none = probabilities(encoder, asked(choices=CHOICES[:1]), asked(choices=()))
    assert len(one) == 2
    assert none.tolist() == pytest.approx([1.0])


def test_an_encoder_of_few_positions_reads_what_fits(tmp_path):
    from model_code.choice_encoder import ChoiceEncoder

    model = ChoiceEncoder.from_base(str(save_tiny_encoder(tmp_path, longest=64))).eval()
    (row,) = probabilities(model, asked("rain " * 300, running=0, assistant="bus " * 300, earlier="dinner " * 300))
    assert float(row.sum()) == pytest.approx(1)


def test_a_share_of_the_questions_that_go_on_moves_the_loss_and_not_the_answer(encoder):
    going_on = [ChoiceQuestion("rain tomorrow", "", "", CHOICES, 1, 0)]
    started = [ChoiceQuestion("rain tomorrow", "", "", CHOICES, None, 1)]
    (row,) = encoder(going_on)
    lowered = row + torch.tensor([0, 0, math.log(0.25), 0, 0])
    expected = torch.nn.functional.cross_entropy(lowered, torch.tensor(1))
    assert encoder.loss(going_on, running_share=0.25).item() == pytest.approx(expected.item(), abs=1e-5)
    assert encoder.loss(going_on, running_share=0.25) < encoder.loss(going_on)
    assert encoder.loss(started, running_share=0.25).item() == pytest.approx(encoder.loss(started).item())


def test_a_few_steps_learn_what_is_right(tmp_path):
    from model_code.choice_encoder import ChoiceEncoder

    torch.manual_seed(0)
    model = ChoiceEncoder.from_base(str(save_bert(tmp_path))).train()
    questions = [
        ChoiceQuestion("rain tomorrow", "", "", CHOICES, None, 1),
        ChoiceQuestion("thanks bye", "", "", CHOICES, 1, FALLBACK),
        ChoiceQuestion("a bus ticket", "", "", CHOICES, 0, 2),
    ]
    optimizer = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad], lr=2e-3)
    before = model.loss(questions).item()
    for _ in range(100):
        optimizer.zero_grad()
        model.loss(questions).backward()
        optimizer.step()
    assert model.loss(questions).item() < before / 4
    assert [int(row.argmax()) for row in model.eval().log_probabilities(questions)] == [2, 0, 3]


def named(layer, weights):
    return any(name.startswith(f"encoder.encoder.layer.{layer}.") for name in weights)


@pytest.mark.parametrize(
    ("layers", "lower", "upper"), [(-1, True, True), (5, True, True), (1, False, True), (0, False, False)]
)
def test_only_the_last_layers_are_trained_and_kept(tmp_path, layers, lower, upper):
    from safetensors.torch import load_file

    from model_code.choice_encoder import ChoiceEncoder, EncoderConfig

    base = str(save_bert(tmp_path / "base"))
    model = ChoiceEncoder.from_base(base, config=EncoderConfig(trained_layers=layers)).train()
    model.loss([ChoiceQuestion("rain tomorrow", "", "", CHOICES, None, 1)]).backward()
    learning = {name for name, value in model.named_parameters() if value.grad is not None}
    assert (named(0, learning), named(1, learning)) == (lower, upper)
    assert "log_scale" in learning
    assert not any("word_embeddings" in name for name in learning)

    with torch.no_grad():
        for value in model.parameters():
            if value.requires_grad:
                value.add_(0.01)
    model.save(tmp_path / "saved")
    weights = load_file(tmp_path / "saved" / "choice_encoder.safetensors")
    assert (named(0, weights), named(1, weights)) == (lower, upper)
    loaded = ChoiceEncoder.from_folder(tmp_path / "saved", base)
    assert loaded.config.trained_layers == layers
    (before,), (after,) = probabilities(model.eval(), asked()), probabilities(loaded, asked())
    assert after.tolist() == pytest.approx(before.tolist(), abs=1e-6)


def test_what_is_not_trained_is_held_once(encoder):
    trained, base = encoder.encoder, encoder._frozen[0]
    mine, frozen = trained.get_input_embeddings().weight, base.get_input_embeddings().weight
    assert mine.data_ptr() == frozen.data_ptr()
    assert (
        trained.encoder.layer[0].output.dense.weight.data_ptr() != base.encoder.layer[0].output.dense.weight.data_ptr()
    )


def test_a_pass_over_choices_that_came_to_no_number_is_not_kept(tmp_path):
    from model_code.choice_encoder import ChoiceEncoder

    model = ChoiceEncoder.from_base(str(save_bert(tmp_path))).eval()
    fail = model._frozen[0].register_forward_hook(
        lambda _module, _given, found: found | {"last_hidden_state": found.last_hidden_state * math.nan}
    )
    (failed,) = probabilities(model, asked())
    assert failed.isnan().any()
    fail.remove()
    (row,) = probabilities(model, asked())
    assert float(row.sum()) == pytest.approx(1)
