"""CloudWatch Logs on this machine."""
