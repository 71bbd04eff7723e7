"""What a collection of known cases brings: measured on itself, each group beside the others."""
