"""Locks and stores that keep requests of several threads in order."""
