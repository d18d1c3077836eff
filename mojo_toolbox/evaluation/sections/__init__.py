"""The sections of a report: one file has all that one metric needs."""
