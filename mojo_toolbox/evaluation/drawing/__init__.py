"""Drawing for the sections of a report: readable figures, Markdown, tables, pictures."""
