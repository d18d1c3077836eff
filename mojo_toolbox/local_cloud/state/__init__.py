"""The local cloud's files on disk, and their places."""
