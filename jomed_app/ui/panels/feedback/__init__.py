"""The form in which a reader judges an answer."""
