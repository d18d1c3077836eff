"""A random BERT of two layers with a vocabulary of whole words, made in a second."""

WORDS = [
    "book",
    "a",
    "table",
    "restaurant",
    "dinner",
    "weather",
    "rain",
    "forecast",
    "bus",
    "ticket",
    "thanks",
    "bye",
    "the",
    "for",
    "tomorrow",
    "recap",
    "meeting",
]


def save_tiny_encoder(folder, *, longest=64, width=32):
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=longest,
        # Wider than the usual .02, so that texts differ clearly.
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder)
    return folder
