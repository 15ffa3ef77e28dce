-- migrate:up
-- Series: what an exception belongs to, and which occurrences of a master do not take place in its meeting.

ALTER TABLE syncer.link ADD COLUMN master_id text;
CREATE INDEX link_of_master ON syncer.link (tenant_id, calendar_id, master_id) WHERE master_id IS NOT NULL;

-- Written down also while no link of the master is known: what is not written down now is never sent again.
CREATE TABLE syncer.exclusion (
    tenant_id bigint NOT NULL,
    calendar_id bigint NOT NULL,
    master_id text NOT NULL,
    original_start text NOT NULL,
    event_id text NOT NULL,
    generation bigint NOT NULL,
    PRIMARY KEY (tenant_id, calendar_id, master_id, original_start),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES syncer.calendar ON DELETE CASCADE
);

-- migrate:down
