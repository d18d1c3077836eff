"""What endpoints run: artifacts, and the containers that answer."""
