"""Loads an artifact, the unpacked model.tar.gz, into memory."""
