"""Questions asked and answered: how each was run, the options tried, the page it left."""
