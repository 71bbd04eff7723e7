"""Own read first: the form of the unaided read, and the bar of the steps after it."""
