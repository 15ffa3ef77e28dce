"""What syncer costs, beside other clients of Google Calendar, measured in one run against one canned Google."""
