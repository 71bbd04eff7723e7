"""The stage `reader` (JOMED, phase 1)."""
