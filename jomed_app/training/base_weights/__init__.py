"""General-purpose base weights, converted out of their packages into transformers folders."""
