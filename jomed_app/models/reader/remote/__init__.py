"""A chat server as the reader."""
