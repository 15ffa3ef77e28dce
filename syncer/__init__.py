"""syncer: keeps video meetings in step with Google Calendar."""
