"""Public sets and formats, one a file: what lies on disk to case records."""
