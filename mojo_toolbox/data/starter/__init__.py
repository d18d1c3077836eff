"""Conversations that ship with the library: written for it, about tasks of many products, to train on in addition to your own."""

from mojo_toolbox.data.starter.composing import starter_conversation, starter_conversations, starter_pool
from mojo_toolbox.data.starter.material import Material, StarterTask, WrittenTalk, starter_material

__all__ = [
    "Material",
    "StarterTask",
    "WrittenTalk",
    "starter_conversation",
    "starter_conversations",
    "starter_material",
    "starter_pool",
]
