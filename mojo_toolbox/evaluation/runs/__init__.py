"""Asking: question by question, every answer kept as it comes."""
