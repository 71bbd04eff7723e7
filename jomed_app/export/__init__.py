"""Exports: every file that a result leaves the app as, made from one `SavedResult`."""
