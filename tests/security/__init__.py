"""What nobody may learn from us."""
