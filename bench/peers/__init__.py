"""Other clients of Google Calendar, each looking at calendars the way its own pages show."""
