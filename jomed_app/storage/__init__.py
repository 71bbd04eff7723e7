"""Sealed folders: a manifest with the hash of every file."""
