"""Small tokenizers of the kinds that base models have: byte-level and SentencePiece-like, with and without a chat template."""

import json
import string

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = ["system user assistant meeting recap notes follow up email none please model Name the task. " * 3]
# Gemma's own, shortened: no system role, the model is not called assistant.
GEMMA_TEMPLATE = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'assistant' %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
# Mistral 0.2's: no system role either.
MISTRAL_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
# Llama 2's, shortened.
LLAMA2_TEMPLATE = (
    "{% if messages[0]['role'] == 'system' %}{% set turns = messages[1:] %}{% set system = messages[0]['content'] %}"
    "{% else %}{% set turns = messages %}{% set system = false %}{% endif %}"
    "{% for message in turns %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if loop.index0 == 0 and system %}"
    "{% set content = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
# Phi 3's: role markers are put together from parts.
PHI3_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


def falcon_like(**options):
    """Return a byte-level tokenizer that knows an end of text, and titles nobody asked for."""
    extra = [">>TITLE<<", ">>ANSWER<<"]
    core = _byte_level(["<|endoftext|>", *extra])
    return _wrapped(core, **{"eos_token": "<|endoftext|>", "additional_special_tokens": extra, **options})


def gpt2_like(**options):
    """Return a byte-level tokenizer whose one special token is all that there is."""
    one = "<|endoftext|>"
    named = {"bos_token": one, "eos_token": one, "unk_token": one, "pad_token": one}
    return _wrapped(_byte_level([one]), **{**named, **options})


def opt_like(**options):
    """Return a byte-level tokenizer that begins each text with the token that ends it."""
    core = _byte_level(["<pad>", "</s>"])
    core.post_processor = processors.TemplateProcessing(single="</s> $A", special_tokens=[("</s>", 1)])
    return _wrapped(core, **{"bos_token": "</s>", "eos_token": "</s>", "pad_token": "<pad>", **options})


def phi3_like(**options):
    """Return a SentencePiece-like tokenizer whose end of turn and roles are tokens added behind its vocabulary."""
    from tokenizers import AddedToken

    core = _sentence_piece(["<unk>", "<s>", "</s>"])
    core.add_special_tokens(["<|endoftext|>", AddedToken("<|end|>", rstrip=True)])
    core.add_tokens(["<|system|>", "<|user|>", "<|assistant|>"])
    named = {"bos_token": "<s>", "eos_token": "<|endoftext|>", "unk_token": "<unk>", "pad_token": "<|endoftext|>"}
    return _wrapped(core, **{**named, "chat_template": PHI3_TEMPLATE, **options})


def gemma_like(**options):
    """Return a SentencePiece-like tokenizer without a blank before texts, which begin with BOS."""
    core = _sentence_piece(["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"], prefix=False)
    core.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    named = {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>"}
    more = {"additional_special_tokens": ["<start_of_turn>", "<end_of_turn>"], "chat_template": GEMMA_TEMPLATE}
    return _wrapped(core, **{**named, **more, **options})


def llama2_like(**options):
    """Return a SentencePiece-like tokenizer that puts a blank before each text, and BOS."""
    core = _sentence_piece(["<unk>", "<s>", "</s>"])
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return _wrapped(core, **{"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", **options})


def mistral_like(**options):
    """Return Llama 2's with Mistral's chat template, as later versions of it are stored: a blank before the first text only."""
    core = _sentence_piece(["<unk>", "<s>", "</s>"])
    core.normalizer = None
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    core.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first", split=False)])
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    named = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<unk>"}
    return _wrapped(core, **{**named, "chat_template": MISTRAL_TEMPLATE, **options})


def unigram_like(**options):
    """Return a Unigram tokenizer, in whose vocabulary the special tokens stand as words."""
    core = Tokenizer(models.Unigram())
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    core.decoder = decoders.Metaspace(prepend_scheme="always")
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=200,
        special_tokens=special,
        unk_token="<unk>",
        initial_alphabet=[*string.printable, "▁"],
        show_progress=False,
    )
    core.train_from_iterator(TEXTS, trainer)
    return _wrapped(core, **{"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", **options})


KINDS = (falcon_like, gpt2_like, opt_like, phi3_like, gemma_like, llama2_like, mistral_like, unigram_like)


def _byte_level(special):
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(TEXTS, trainer)
    return core


def _sentence_piece(special, *, prefix=True):
    core = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    blanks = normalizers.Replace(" ", "▁")
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), blanks]) if prefix else blanks
    found = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    core.decoder = decoders.Sequence([*found, decoders.Strip(" ", 1, 0)] if prefix else found)
    core.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=special,
        initial_alphabet=[*string.printable.replace("\n", ""), "▁"],
        show_progress=False,
    )
    core.train_from_iterator(TEXTS, trainer)
    core.pre_tokenizer = None
    stored = json.loads(core.to_str())
    known = stored["model"]["vocab"]
    known |= {f"<0x{byte:02X}>": len(known) + byte for byte in range(256)}
    return Tokenizer.from_str(json.dumps(stored))


def _wrapped(core, *, chat_template=None, **options):
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, **options)
    tokenizer.chat_template = chat_template
    return tokenizer
