"""semirings."""
