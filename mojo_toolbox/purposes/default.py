"""The purpose of tasks without one of their own: plain chats, asked with prompts of the caller's own."""

from __future__ import annotations

from mojo_toolbox.purposes.routing.purpose import RoutingPurpose


class DefaultPurpose(RoutingPurpose):
    """Takes the same data as routing: chat examples pass as they are, and conversations become the router's chats."""

    prompt_version = None
