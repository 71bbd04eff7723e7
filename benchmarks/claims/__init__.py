"""What is claimed, one table a claim, every figure read from a kept report."""
