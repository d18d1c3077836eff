"""What the library asks of a cloud: one package for each."""
