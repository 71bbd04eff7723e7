"""What every stage shares: folder, loop, base weights, costs."""
