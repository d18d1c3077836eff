"""A language model in memory: passes, adapters, and the keys and values that it keeps."""
