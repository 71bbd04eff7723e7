"""From evidence to a conclusion: the arithmetic that the app and its figures share."""
