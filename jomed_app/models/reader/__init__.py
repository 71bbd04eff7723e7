"""The vision-language model that reads one candidate at a time."""
