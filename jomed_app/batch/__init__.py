"""Many images, one answer each: resumable, by content, on one or more processes."""
