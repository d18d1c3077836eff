"""A random Llama of two layers with a byte-level tokenizer, made in a second, and conversations to train it on."""

import json

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CONTEXT_LENGTH = 512
SYSTEM = {"role": "system", "content": "Name the task.\nmeeting_recap: sums up\nemail: writes"}


def make_tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(["system user assistant meeting recap notes follow up email none please " * 3], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|im_end|>")
    tokenizer.chat_template = CHATML
    return tokenizer


def make_network(seed=0, **config):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    sizes = {
        "vocab_size": 400,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT_LENGTH,
        # Wider than the usual .02, so that answers differ clearly between prompts.
        "initializer_range": 0.1,
    }
    special = {"bos_token_id": None, "eos_token_id": 1, "pad_token_id": 1}
    return LlamaForCausalLM(LlamaConfig(**{**sizes, **special, **config})).eval()


def save_tiny_base(folder, **config):
    make_network(**config).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


def conversation(request, answer):
    return {
        "messages": [
            SYSTEM,
            {"role": "user", "content": f"User: please, {request}"},
            {"role": "assistant", "content": answer},
            {"role": "user", "content": "User: thanks"},
            {"role": "assistant", "content": "none"},
        ]
    }


def conversations(count):
    kinds = [("recap my meeting", "meeting_recap"), ("an email to Ann, the one of yesterday", "email")]
    return [conversation(*kinds[i % 2]) for i in range(count)]


def write_channel(folder, records, name="data.jsonl"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return folder
