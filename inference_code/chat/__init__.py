"""Chats at the door: requests, replies, and prompts that fit the model's context."""
