"""The stage `rewards` on the text that a reader writes itself: sample, reward, move."""
