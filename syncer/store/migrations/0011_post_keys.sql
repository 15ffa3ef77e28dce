-- migrate:up
-- What the indexes of 0007 stand in for: each write paid for it. Who adds a calendar twice is told so by the old name.

ALTER TABLE syncer.calendar DROP CONSTRAINT calendar_tenant_id_google_id_key;
ALTER INDEX syncer.calendar_of_google RENAME TO calendar_tenant_id_google_id_key;
ALTER TABLE syncer.calendar
    ADD CONSTRAINT calendar_tenant_id_google_id_key UNIQUE USING INDEX calendar_tenant_id_google_id_key;
ALTER TABLE syncer.conference DROP CONSTRAINT conference_tenant_id_account_id_meeting_id_key;
DROP INDEX syncer.conference_of_meeting;
DROP INDEX syncer.link_of_conference;

-- migrate:down
