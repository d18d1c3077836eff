"""Models, endpoints and their answers."""
