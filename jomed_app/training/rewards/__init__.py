"""The stage `rewards` (UMed-LVLM)."""
