"""Vector stores: rows of vectors in a file, or in an engine that many machines share."""
