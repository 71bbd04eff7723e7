"""Readers of any family: how fast beside a plain loop, and how far in fewer bits."""
