"""Frozen vision towers side by side."""
