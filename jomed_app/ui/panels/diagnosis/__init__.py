"""Beside the image: agreement first, then the diagnosis, how it arose and where it comes from."""
