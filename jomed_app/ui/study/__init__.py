"""Own read first: the reader says it, then the page shows it, step by step."""
