"""The purposes of models: one package for each purpose, and the registry that finds the purpose of a task."""
