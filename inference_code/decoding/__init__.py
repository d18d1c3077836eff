"""Answers of a language model: one of several choices, or free text."""
