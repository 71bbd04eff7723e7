"""JOMED: similar cases, a prediction per case, one final diagnosis. Research demo, not a medical device."""

__version__ = "0.1.0"
