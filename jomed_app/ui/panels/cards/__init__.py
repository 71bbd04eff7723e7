"""Below an image of a known case: its label, what the model says beside it, and its source."""
