"""Built-in demo: procedural scenes, tiny models, their training recipe."""
