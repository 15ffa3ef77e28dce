"""What is given as examples does what it says."""
