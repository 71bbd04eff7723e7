"""Weights of large models: where those that a bundle pins lie, and how far they are loaded."""
