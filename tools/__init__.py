"""Development tools; nothing here is needed to run the app."""
