"""S3: objects as files on disk, and the facts about them in SQLite."""
