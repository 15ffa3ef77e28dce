"""The whole of syncer at work: the supervisor under a real lease, over a real Postgres, against the canned Google."""
