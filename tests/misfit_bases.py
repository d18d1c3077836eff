"""Folders of base models that must not be served or trained: weights that are missing, too many, or another class's."""

import json

from tiny_base import make_tokenizer

SIZES = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "bos_token_id": None,
    "eos_token_id": 1,
}


def llama(**config):
    from transformers import LlamaConfig

    return LlamaConfig(**{**SIZES, "tie_word_embeddings": False, **config})


def bert(**config):
    from transformers import BertConfig

    sizes = {name: SIZES[name] for name in ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers")}
    return BertConfig(**sizes, num_attention_heads=4, **config)


def save(folder, network):
    network.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def edit_weights(folder, change, *, name="model.safetensors"):
    """Let `change` alter the stored weights in place."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / name)
    change(weights)
    save_file(weights, folder / name, metadata={"format": "pt"})
    return folder


def drop(weights, part):
    for name in [name for name in weights if part in name]:
        del weights[name]


def without_head(folder):
    from transformers import LlamaModel

    return edit_config(save(folder, LlamaModel(llama())), architectures=["LlamaForCausalLM"])


def without_a_layer(folder):
    return edit_weights(_whole(folder), lambda weights: drop(weights, ".layers.1."))


def without_embeddings(folder):
    return edit_weights(_tied(folder), lambda weights: drop(weights, "embed_tokens"))


def of_fewer_layers_than_stored(folder):
    return edit_config(_whole(folder), num_hidden_layers=1, layer_types=None)


def of_more_layers_than_stored(folder):
    return edit_config(_whole(folder), num_hidden_layers=3, layer_types=None)


def of_another_vocabulary(folder):
    return edit_config(_whole(folder), vocab_size=480)


def of_another_width(folder):
    return edit_config(_whole(folder), intermediate_size=96)


def with_biases_that_the_configuration_leaves_out(folder):
    import torch

    def change(weights):
        weights["model.layers.0.self_attn.q_proj.bias"] = torch.ones(32)

    return edit_weights(_whole(folder), change)


def cut_off(folder):
    path = _whole(folder) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    return folder


def without_weights(folder):
    (_whole(folder) / "model.safetensors").unlink()
    return folder


def sentence_encoder(folder):
    from transformers import BertModel

    return save(folder, BertModel(bert()))


def masked_language_model(folder):
    from transformers import BertForMaskedLM

    return save(folder, BertForMaskedLM(bert()))


def masked_language_model_of_unknown_class(folder):
    return edit_config(masked_language_model(folder), architectures=None)


def causal_head_that_reads_both_ways(folder):
    return edit_config(masked_language_model(folder), architectures=["BertLMHeadModel"])


def classifier(folder):
    from transformers import LlamaForSequenceClassification

    return save(folder, LlamaForSequenceClassification(llama(tie_word_embeddings=True, pad_token_id=1)))


def token_classifier(folder):
    from transformers import BertForTokenClassification

    return save(folder, BertForTokenClassification(bert()))


def decoder_without_head(folder):
    from transformers import LlamaModel

    return save(folder, LlamaModel(llama()))


def encoder_decoder(folder):
    from transformers import T5Config, T5ForConditionalGeneration

    return save(folder, T5ForConditionalGeneration(T5Config(vocab_size=400, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=4)))  # fmt: skip


def encoder_decoder_with_a_decoder_of_its_own(folder):
    from transformers import BartConfig, BartForConditionalGeneration

    sizes = {
        f"{part}_{name}": 1 for part in ("encoder", "decoder") for name in ("layers", "attention_heads", "ffn_dim")
    }
    return save(folder, BartForConditionalGeneration(BartConfig(vocab_size=400, d_model=32, **sizes)))


# Each with the words that must be in the error.
UNFIT_WEIGHTS = {
    without_head: "lack lm_head.weight",
    without_a_layer: "lack model.layers.1.input_layernorm.weight, .* more",
    without_embeddings: "lack .*embed_tokens.weight",
    of_fewer_layers_than_stored: r"config.json leaves out model.layers.1\.",
    of_more_layers_than_stored: "lack model.layers.2.",
    of_another_vocabulary: "of another size than config.json says are lm_head.weight, model.embed_tokens.weight",
    of_another_width: "of another size than config.json says are model.layers.0.mlp",
    with_biases_that_the_configuration_leaves_out: "leaves out model.layers.0.self_attn.q_proj.bias",
    cut_off: "cannot be loaded",
    without_weights: "cannot be loaded",
}
OTHER_CLASSES = (
    sentence_encoder,
    masked_language_model,
    masked_language_model_of_unknown_class,
    causal_head_that_reads_both_ways,
    classifier,
    token_classifier,
    decoder_without_head,
    encoder_decoder,
    encoder_decoder_with_a_decoder_of_its_own,
)


def _whole(folder):
    from transformers import LlamaForCausalLM

    return save(folder, LlamaForCausalLM(llama()))


def _tied(folder):
    from transformers import LlamaForCausalLM

    return save(folder, LlamaForCausalLM(llama(tie_word_embeddings=True)))
