"""Bugs that were planted on purpose, a patch each: whether random worlds find them is how their net is measured."""
