"""Grouped cross-validation: every fold read by models that never saw it."""
