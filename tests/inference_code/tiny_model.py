"""What the serving handler's tests lay beside the tiny base model: adapters and manifests."""

import json


def save_adapter(folder, base, *, seed, target_modules="all-linear"):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    network = AutoModelForCausalLM.from_pretrained(base)
    adapted = get_peft_model(network, LoraConfig(r=4, target_modules=target_modules, init_lora_weights=False))
    adapted.save_pretrained(folder)
    return folder


def write_manifest(folder, **fields):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps({"contract_version": 1, **fields}), encoding="utf-8")
