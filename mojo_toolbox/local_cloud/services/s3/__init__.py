"""S3: objects as files on disk, what is said about them in SQLite."""
