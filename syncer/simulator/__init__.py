"""A Google Calendar and a conferencing system to try on, people who use them, and a judge: beside the house."""
