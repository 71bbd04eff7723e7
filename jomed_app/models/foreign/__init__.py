"""Model files that others wrote, as transformers reads them."""
