"""The images that a visitor opened, as a list: read in turn, shown again, marked, in bounds."""
