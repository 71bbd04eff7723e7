"""What happens on the page, as plain functions: they take values and return or yield screens."""
