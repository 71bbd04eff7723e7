"""Does it hold? Load, faults and hostile files, recorded; docs/reliability.md is made of them."""
