"""The model's side: which weights are trained, which logits are computed, how decisions are measured."""

import pytest
import torch
from tiny_base import conversations, write_channel

from job.errors import TrainingInputError
from qlora.adapter import add_adapter
from qlora.base_model import compute_dtype, load_base_model, load_tokenizer
from qlora.epochs import measure_decisions
from qlora.examples import IGNORED, load_examples, pad_batch
from qlora.settings import QloraSettings
from qlora.trainer import decision_logits, training_arguments

# peft 0.21 asks transformers 5.23 by a name that transformers 6 will drop.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def adapted(base, **settings):
    resolved = QloraSettings(base_model=str(base), **{"load_in_4bit": False, "dtype": "float32", **settings})
    model = load_base_model(str(base), resolved, torch.device("cpu"))
    return add_adapter(model, resolved)


def test_only_the_adapter_is_trained_in_full_precision(tiny_base):
    model = adapted(tiny_base)
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained
    assert all("lora_" in name and weight.dtype is torch.float32 for name, weight in trained.items())
    # Seven linear layers in each of two blocks, two matrices each; the vocabulary's projection is left alone.
    assert len(trained) == 2 * 7 * 2


def test_named_target_modules_alone_are_adapted(tiny_base):
    names = [
        name for name, _ in adapted(tiny_base, target_modules="q_proj, v_proj").named_parameters() if "lora_" in name
    ]
    assert names
    assert all("q_proj" in name or "v_proj" in name for name in names)


def test_a_target_module_that_matches_nothing_is_refused(tiny_base):
    with pytest.raises(TrainingInputError, match=r"'query' matches no module. Linear ones: .*q_proj"):
        adapted(tiny_base, target_modules="q_proj,query")


def test_chosen_layers_alone_are_adapted_in_the_dtype_asked_for(tiny_base):
    model = adapted(tiny_base, layers_to_transform="1-1", autocast_adapter_dtype=False, dtype="bfloat16")
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    assert len(trained) == 7 * 2
    assert all(".layers.1." in name and weight.dtype is torch.bfloat16 for name, weight in trained.items())


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ("1,2", "no layer 2; the base model's layers are 0 to 1"),
        ("0-99999999999", "no layer 10000"),
        ("upper", "'upper' is no number"),
        ("1-", "no range"),
        ("1-0", "no range"),
    ],
)
def test_layers_that_cannot_be_adapted_are_refused(tiny_base, layers, reason):
    with pytest.raises(TrainingInputError, match=reason):
        adapted(tiny_base, layers_to_transform=layers)


def test_a_base_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(TrainingInputError, match="cannot be loaded"):
        load_tokenizer(str(tmp_path / "nowhere"), QloraSettings(), vocabulary=400)


def test_float16_on_a_cpu_is_refused():
    with pytest.raises(TrainingInputError, match="float16 needs a GPU"):
        compute_dtype(QloraSettings(dtype="float16"), torch.device("cpu"))


def test_the_few_logits_computed_are_those_of_the_whole_model(tiny_base, tokenizer, tmp_path):
    model = adapted(tiny_base).eval()
    examples = load_examples(write_channel(tmp_path, conversations(2)), tokenizer, 512)
    batch = pad_batch([examples[0], examples[1]])
    with torch.no_grad():
        logits, targets, positions = decision_logits(model, batch)
        whole = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, positions]
    borne = targets != IGNORED
    assert borne.sum() == (batch["labels"] != IGNORED).sum()
    torch.testing.assert_close(logits[borne], whole[borne])


def test_decisions_right_are_those_whose_every_token_is_likeliest(tiny_base, tokenizer, tmp_path):
    model = adapted(tiny_base)
    examples = load_examples(write_channel(tmp_path, conversations(4)), tokenizer, 512)
    optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=1e-2)
    args = training_arguments(QloraSettings(), tmp_path, saves=False)
    _, before = measure_decisions(model, examples, 3, args)
    for _ in range(40):
        logits, targets, _ = decision_logits(model, pad_batch([examples[i] for i in range(4)]))
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED).backward()
        optimizer.step()
        optimizer.zero_grad()
    _, after = measure_decisions(model, examples, 3, args)
    assert before == 0
    assert after == 1
