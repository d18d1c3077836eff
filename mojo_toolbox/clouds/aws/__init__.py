"""Requests to AWS: the only room that imports boto3, and only on first use."""
