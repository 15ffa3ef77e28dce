"""Other people's servers: HTTP, Google, conferencing providers. Thin: no decisions."""
