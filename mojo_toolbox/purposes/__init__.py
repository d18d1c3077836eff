"""What models are for: one package for each purpose."""
