"""Conversations: records, measuring points, JSON Lines."""

from mojo_toolbox.data.conversations import NONE_ANSWER, Conversation, Message, Task, parse_conversation
from mojo_toolbox.data.decision_kinds import POINTS, Point, point_of
from mojo_toolbox.data.jsonl import read_conversations, read_records, write_records
from mojo_toolbox.data.points import MeasuringPoint, measuring_points

__all__ = [
    "NONE_ANSWER",
    "POINTS",
    "Conversation",
    "MeasuringPoint",
    "Message",
    "Point",
    "Task",
    "measuring_points",
    "parse_conversation",
    "point_of",
    "read_conversations",
    "read_records",
    "write_records",
]
