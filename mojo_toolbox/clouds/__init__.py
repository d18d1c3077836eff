"""The library's requests to clouds: one package for each cloud."""
