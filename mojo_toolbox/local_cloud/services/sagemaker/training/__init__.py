"""Training jobs, really run on this machine."""
