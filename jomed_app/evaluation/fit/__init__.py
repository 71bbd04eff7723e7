"""What a bundle carries, fitted on held-out cases."""
