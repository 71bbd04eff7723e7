"""Public sets from their official homes, or from an archive at hand, to what `sources` reads."""
