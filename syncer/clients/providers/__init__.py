"""Conferencing systems, behind one port."""
