"""The stage `align` (LoGra-Med)."""
