"""Requests that need no execution, answered by moto in this process."""
