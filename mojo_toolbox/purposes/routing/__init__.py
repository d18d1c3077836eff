"""The router's prompt and its training examples."""

from mojo_toolbox.purposes.routing.prompt import PROMPT_VERSION, UNKNOWN, RoutingPrompt, routing_prompt
from mojo_toolbox.purposes.routing.training import training_example, training_examples, validation_example

__all__ = [
    "PROMPT_VERSION",
    "UNKNOWN",
    "RoutingPrompt",
    "routing_prompt",
    "training_example",
    "training_examples",
    "validation_example",
]
