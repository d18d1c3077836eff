"""A random choice encoder on a random BERT, saved as an artifact in a second."""

from tiny_encoder import save_tiny_encoder
from tiny_model import write_manifest


def save_bert(folder, **options):
    return save_tiny_encoder(folder, longest=512, **options)


def save_choice_encoder(folder, base, *, running=1.0, none=2.0, scale=1.0, seed=0, **manifest):
    """Save random weights; `running` is what the running choice's logit gets on top of its likeness to the words.

    `none` is the fallback's logit; by default it is a little less likely than what the words are like. With a `scale` of 1e38
    weights are still numbers, and what is computed with them is none.
    """
    import torch

    from model_code.choice_encoder import ChoiceEncoder

    torch.manual_seed(seed)
    encoder = ChoiceEncoder.from_base(str(base))
    with torch.no_grad():
        encoder.comparing.out.weight.normal_(std=0.5).mul_(scale)
        encoder.state[2].bias.data = torch.tensor([none, running])
    encoder.save(folder)
    write_manifest(folder, **{"kind": "encoder", "base_model": {"id": str(base)}, **manifest})
    return folder


def tasks_message(tasks):
    lines = [f"{description}: {name}" if description else name for name, description in tasks.items()]
    return {"role": "system", "content": "\n".join(["Name the task. Tasks:", *lines, "Nothing fits: none"])}
