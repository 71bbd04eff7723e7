"""Commands that read images: `diagnose`, and `replay` of what it saved."""
