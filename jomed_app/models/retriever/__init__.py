"""The dual encoder: a frozen base for the index, a trainable query head per search."""
