"""The common parts of jobs, models and endpoints: records, pages, tags, and the places of their files."""
