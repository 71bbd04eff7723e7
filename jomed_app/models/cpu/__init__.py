"""What is fast on one kind of processor."""
