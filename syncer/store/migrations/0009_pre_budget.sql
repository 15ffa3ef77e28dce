-- migrate:up
-- What projects have spent of their requests.

ALTER TABLE syncer.project ALTER COLUMN per_day TYPE bigint;

-- Written by a project's worker every few seconds, read by whoever serves the project next: it counts what was
-- reserved as spent. day is Google's, which begins at midnight Pacific time.
CREATE TABLE syncer.budget (
    project_id bigint PRIMARY KEY REFERENCES syncer.project ON DELETE CASCADE,
    minute_count integer NOT NULL CHECK (minute_count >= 0),
    reserved_count integer NOT NULL CHECK (reserved_count >= 0),
    day date NOT NULL,
    day_count bigint NOT NULL CHECK (day_count >= 0),
    pace real NOT NULL DEFAULT 1,
    written_at timestamptz NOT NULL DEFAULT syncer.clock()
) WITH (fillfactor = 50);

-- migrate:down
