"""Words: prompts, answers, extended descriptions, glosses, questions."""
