"""Who asks: signatures, and the keys that the local cloud knows."""
