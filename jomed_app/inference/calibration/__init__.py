"""Honest probabilities: scaling, reliability, error rates, how sure a box is."""
