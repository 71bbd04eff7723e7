"""The linked images: query and similar cases, the switch between searches, layers and windows."""
