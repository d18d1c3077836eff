"""What a check looks for in a file of conversations, and what it counts."""
