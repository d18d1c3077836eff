"""Handles files, archives and patterns from strangers, so that they do no harm."""
