"""Public sets, one a file: what lies on disk to case records."""
