"""One file a version, named after its number."""
