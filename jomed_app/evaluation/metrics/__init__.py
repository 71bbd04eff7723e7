"""One family of figures a file; arrays in, numbers out."""
