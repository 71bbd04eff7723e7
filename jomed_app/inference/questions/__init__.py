"""Questions with free answers."""
