"""What jobs, models and endpoints share: records, pages, tags, and the places of their files."""
