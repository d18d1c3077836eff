"""A report for people: an HTML page, Markdown, and the words and pictures in both."""
