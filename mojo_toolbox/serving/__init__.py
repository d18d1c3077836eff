"""The things that endpoints run: artifacts, and the containers that answer."""
