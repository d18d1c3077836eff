"""The services, one package or module for each."""
