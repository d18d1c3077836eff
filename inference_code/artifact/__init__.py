"""Loads an artifact, the unpacked model.tar.gz: tokenizer, base model, adapters or merged weights.

merged/                  whole model: loaded as it is, no base model needed
adapter_config.json      one adapter: merged into the base model in memory (unmerged, a decision takes over twice as long)
adapters/<name>/         several adapters: kept unmerged next to each other, each request chooses
none of these            the base model as it is, or the folder itself where it holds a whole model (config.json)

Where manifest.json says `"kind": "encoder"`, it holds the trained part of an encoder (choice_encoder.safetensors and .json).
encoder/                 the same next to a language model or an encoder: both answer together
"""
