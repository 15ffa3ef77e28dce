-- migrate:up
-- What came with batches and every fault.

-- Whether what we read of a calendar shows its events' details; null until it was read.
ALTER TABLE syncer.calendar ADD COLUMN sees_details boolean;

-- Meetings that their vendor says were changed there: each is to be read back. Narrow and away from the conference,
-- for receivers write it and workers must not wait for them. `mark` is another one with each telling.
CREATE TABLE syncer.changed_there (
    tenant_id bigint NOT NULL,
    conference_id bigint NOT NULL,
    mark bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (tenant_id, conference_id),
    FOREIGN KEY (tenant_id, conference_id) REFERENCES syncer.conference ON DELETE CASCADE
) WITH (fillfactor = 50);

-- A meeting that was replaced at its provider has another id there than its events name.
CREATE INDEX conference_of_replacement ON syncer.conference (account_id, (meeting ->> 'meeting_id'))
    WHERE meeting ->> 'meeting_id' <> meeting_id;

-- migrate:down
