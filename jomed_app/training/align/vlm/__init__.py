"""The stage `align` of a large reader: its projector, then its adapter beside it."""
