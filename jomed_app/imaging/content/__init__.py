"""What a picture shows: the region that is read, its kind, and its polarity."""
