"""Stores of vectors side by side: what is found, how fast, at which size."""
