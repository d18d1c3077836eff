"""A base model or adapter whose weights do not fit is refused in a line, instead of answering with random numbers."""

import pytest
import torch
from misfit_bases import (
    OTHER_CLASSES,
    UNFIT_WEIGHTS,
    bert,
    drop,
    edit_config,
    edit_weights,
    llama,
    masked_language_model,
    save,
)
from tiny_base import make_tokenizer, save_tiny_base
from tiny_choice_encoder import save_bert, save_choice_encoder
from tiny_model import save_adapter, write_manifest

from artifact.encoder import load_encoder
from artifact.language_model import load_artifact as load_on_device
from artifact.manifest import UnservableArtifactError
from model_code.base_network import load_encoder_network

# peft 0.21.2 still reads an attribute that transformers 5.23 deprecates; nothing of ours does.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


@pytest.fixture(autouse=True)
def _full_precision(full_precision):
    pass


def load_artifact(folder):
    return load_on_device(folder, torch.device("cpu"))


def refused(folder, words, load=load_artifact):
    with pytest.raises(UnservableArtifactError, match=words) as caught:
        load(folder)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("make", UNFIT_WEIGHTS, ids=lambda make: make.__name__)
def test_a_base_whose_weights_do_not_fit_is_refused(make, tmp_path):
    refused(make(tmp_path), UNFIT_WEIGHTS[make])


@pytest.mark.parametrize("make", OTHER_CLASSES, ids=lambda make: make.__name__)
def test_a_base_that_is_no_causal_language_model_is_refused(make, tmp_path):
    refused(make(tmp_path), "no causal language model. Name one")


@pytest.mark.parametrize("tied", [True, False])
def test_heads_may_be_tied_to_the_embeddings_or_not(tied, tmp_path):
    from transformers import LlamaForCausalLM

    save(tmp_path, LlamaForCausalLM(llama(tie_word_embeddings=tied)))
    assert load_artifact(tmp_path).model.dtype == torch.float32


@pytest.mark.parametrize("make", ["gpt2", "neox"])
def test_constants_that_older_versions_stored_do_no_harm(make, tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM

    if make == "gpt2":
        save(tmp_path, GPT2LMHeadModel(GPT2Config(vocab_size=400, n_embd=32, n_layer=1, n_head=4, n_positions=64)))
        extra = {
            "transformer.h.0.attn.bias": torch.ones(1, 1, 64, 64),
            "transformer.h.0.attn.masked_bias": torch.ones(1),
        }
    else:
        sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
        save(tmp_path, GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=400, **sizes)))
        extra = {
            "gpt_neox.layers.0.attention.bias": torch.ones(1, 1, 64, 64),
            "gpt_neox.layers.0.attention.masked_bias": torch.ones(1),
            "gpt_neox.layers.0.attention.rotary_emb.inv_freq": torch.ones(4),
        }
    edit_weights(tmp_path, lambda weights: weights.update(extra))
    load_artifact(tmp_path)


def test_what_was_trained_on_top_of_a_whole_language_model_does_no_harm(tmp_path):
    save_tiny_base(tmp_path)
    edit_weights(tmp_path, lambda weights: weights.update({"v_head.summary.weight": torch.ones(1, 64)}))
    load_artifact(tmp_path)


def test_a_bert_that_is_a_decoder_is_a_language_model(tmp_path):
    from transformers import BertLMHeadModel

    save(tmp_path, BertLMHeadModel(bert(is_decoder=True)))
    load_artifact(tmp_path)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path, number):
    from safetensors.torch import load_file, save_file

    path = save_tiny_base(tmp_path) / "model.safetensors"
    weights = load_file(path)
    # Attention on a CPU takes NaN queries for nothing, and answers.
    weights["model.layers.0.self_attn.q_proj.weight"][3, 5] = number
    save_file(weights, path, metadata={"format": "pt"})
    refused(tmp_path, r"1 weights contain NaN or infinities, model\.layers\.0\.self_attn\.q_proj")


def test_a_tokenizer_with_more_tokens_than_the_base_is_refused(tmp_path):
    save_tiny_base(tmp_path, vocab_size=200)
    refused(tmp_path, "knows 200 tokens, 0 to 199: they do not belong together")


def test_a_folder_without_a_tokenizer_is_refused_in_a_line(tmp_path):
    save_tiny_base(tmp_path)
    for path in tmp_path.glob("*token*"):
        path.unlink()
    refused(tmp_path, "The tokenizer of .* cannot be loaded")


def test_an_artifact_whose_template_cannot_end_answers_is_refused(tmp_path):
    save_tiny_base(tmp_path)
    tokenizer = make_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
    tokenizer.save_pretrained(tmp_path)
    refused(tmp_path, "ends an answer with plain text")


def adapter_on(tmp_path, base, **config):
    """Save an artifact of an adapter of `base`, to be put on a base of this `config`."""
    # peft stores "all-linear" as the full names of the base's modules, of which a deeper base only has more.
    folder = save_adapter(tmp_path / "artifact", base, seed=1, target_modules=["q_proj", "up_proj"])
    other = save_tiny_base(tmp_path / "other", **config) if config else base
    write_manifest(folder, base_model={"id": str(other)})
    return folder


def several(folder):
    """Put the adapter of an artifact among several."""
    target = folder / "adapters" / "sales"
    target.mkdir(parents=True)
    for path in folder.glob("adapter_*"):
        path.rename(target / path.name)
    return folder


@pytest.mark.parametrize("layout", [lambda folder: folder, several], ids=["one", "several"])
@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"num_hidden_layers": 3}, r"it lacks model.layers.2\."),
        ({"num_hidden_layers": 1}, r"it alone has model.layers.1\."),
        ({"intermediate_size": 96}, "size mismatch"),
        ({"hidden_size": 32}, "size mismatch"),
    ],
)
def test_an_adapter_of_another_base_is_refused(config, words, layout, tmp_path, base_folder):
    refused(layout(adapter_on(tmp_path, base_folder, **config)), f"does not fit the base model.*{words}")


def test_an_adapter_of_another_architecture_is_refused(tmp_path, base_folder):
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = adapter_on(tmp_path, base_folder)
    other = save(tmp_path / "gpt2", GPT2LMHeadModel(GPT2Config(vocab_size=400, n_embd=64, n_layer=2, n_head=4)))
    write_manifest(folder, base_model={"id": str(other)})
    refused(folder, "does not fit the base model.*[Tt]arget modules")


@pytest.mark.parametrize("layout", [lambda folder: folder, several], ids=["one", "several"])
def test_an_adapter_that_lost_some_of_its_weights_is_refused(layout, tmp_path, base_folder):
    folder = adapter_on(tmp_path, base_folder)
    edit_weights(folder, lambda weights: drop(weights, "layers.1.mlp"), name="adapter_model.safetensors")
    refused(layout(folder), r"it lacks model.layers.1.mlp")


@pytest.mark.parametrize("layout", [lambda folder: folder, several], ids=["one", "several"])
def test_an_adapter_that_fits_is_loaded(layout, tmp_path, base_folder):
    load_artifact(layout(adapter_on(tmp_path, base_folder)))


def encoder_on(tmp_path, change):
    base = save_bert(tmp_path / "base")
    folder = save_choice_encoder(tmp_path / "artifact", base)
    change(base)
    return folder


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda base: edit_weights(base, lambda w: drop(w, "encoder.layer.1.")), "lack encoder.layer.1."),
        (lambda base: edit_weights(base, lambda w: drop(w, "word_embeddings")), "lack embeddings.word_embeddings"),
        (lambda base: edit_config(base, num_hidden_layers=3), "lack encoder.layer.2."),
        (lambda base: edit_config(base, num_hidden_layers=1), "config.json leaves out encoder.layer.1."),
        (lambda base: edit_config(base, vocab_size=90), "of another size"),
        (lambda base: edit_config(base, intermediate_size=48), "of another size"),
        (lambda base: (base / "model.safetensors").write_bytes(b"none"), "cannot be loaded"),
    ],
)
def test_an_encoders_base_whose_weights_do_not_fit_is_refused(change, words, tmp_path):
    refused(encoder_on(tmp_path, change), words, load=load_encoder)


def test_an_encoders_base_whose_tokenizer_is_another_models_is_refused(tmp_path):
    refused(encoder_on(tmp_path, lambda base: make_tokenizer().save_pretrained(base)), "has 400 tokens|has [0-9]+ tokens, the model", load=load_encoder)  # fmt: skip


def test_an_encoder_needs_no_pooler_and_no_stored_positions(tmp_path):
    def change(weights):
        drop(weights, "pooler")
        weights["embeddings.position_ids"] = torch.arange(512)[None]

    load_encoder(encoder_on(tmp_path, lambda base: edit_weights(base, change)))


def test_the_encoder_of_a_masked_language_model_is_whole(tmp_path):
    assert type(load_encoder_network(str(masked_language_model(tmp_path)))).__name__ == "BertModel"


def test_an_encoder_trained_on_another_base_is_refused_with_a_name(tmp_path):
    folder = encoder_on(tmp_path, lambda base: None)
    edit_weights(folder, lambda weights: drop(weights, "log_scale"), name="choice_encoder.safetensors")
    refused(folder, "lacks log_scale", load=load_encoder)
