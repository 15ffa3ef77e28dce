-- migrate:up
-- Rows are found by their keys also while tables are young. An index that begins with the tenant looks as good then by
-- its first column alone, and a plan that is kept would go over all of a tenant's rows for each one that is looked for.

CREATE UNIQUE INDEX conference_of_account ON syncer.conference (account_id, meeting_id, tenant_id);
CREATE UNIQUE INDEX calendar_of_google ON syncer.calendar (google_id, tenant_id);
CREATE INDEX link_to_conference ON syncer.link (conference_id, tenant_id);

-- migrate:down
