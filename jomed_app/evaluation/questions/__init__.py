"""Questions with free answers, read and scored."""
