"""Servers: each answers checked chat requests with the model of an artifact."""
