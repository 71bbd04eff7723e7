"""Vision towers: an image becomes patch tokens, for reader, retriever and localizer alike."""
