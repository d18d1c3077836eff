"""Models, endpoints and what they answer."""
