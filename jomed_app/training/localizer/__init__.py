"""The localizers, part of the stage `reader`."""
