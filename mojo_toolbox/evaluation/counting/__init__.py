"""Answers -> figures with their intervals."""
