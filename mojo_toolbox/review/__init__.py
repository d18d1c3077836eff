"""Reviewing conversations: a team's queue over a database, and the web page that shows it."""
