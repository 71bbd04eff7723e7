"""The shell around the page: who may ask, how much, and how the server starts, fares and ends."""
