"""The cases a run learns from, in memory: images, tokens, folds."""
