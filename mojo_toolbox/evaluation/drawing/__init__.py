"""What the sections of a report are drawn with: readable figures, Markdown, tables, pictures."""
