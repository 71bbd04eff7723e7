"""Where a finding lies: dense head, edge queries, the box both tell."""
