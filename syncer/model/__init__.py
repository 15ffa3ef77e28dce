"""The words: frozen values that all floors share."""
