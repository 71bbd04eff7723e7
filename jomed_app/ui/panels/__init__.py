"""One part of the page a file."""
