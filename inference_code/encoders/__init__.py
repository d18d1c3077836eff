"""Encoders that choose, alone or two together."""
