"""People: seeded scripts that edit through the public faces only, and the record of what they meant."""
