"""What keeps requests of several threads in order."""
