"""What is decided, and nothing else: pure functions that know no clock, no chance and no outside world."""
