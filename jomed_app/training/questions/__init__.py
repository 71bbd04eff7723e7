"""The stage `questions`: free answers."""
