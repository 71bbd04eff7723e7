"""Cases, corpora, tasks and prompts."""
