"""Servers: each answers checked chat requests with what an artifact holds."""
