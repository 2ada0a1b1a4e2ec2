"""Models: what they are, where their weights lie, how they are loaded."""
