"""Formats of boxed data that a user brings, one a file, and what a boxed image becomes."""
