"""Google: credentials and the Calendar API."""
