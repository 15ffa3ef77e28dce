"""The corridor: sweep looks, pull writes down what was seen, push makes it so. Start reading here."""
