"""JOMED: similar cases, a prediction per case, one diagnosis. Research demo, no medical device."""

__version__ = "0.2.0"
