-- What an operator writes: projects, provider accounts, tenants, calendars, and the release of held deletions.

-- name: add_project
-- A new project; its lease row comes by trigger.
-- $1 slug text, $2 per_minute integer, $3 per_user_minute integer, $4 per_day integer. Gives one row.
INSERT INTO syncer.project (slug, per_minute, per_user_minute, per_day)
VALUES ($1, $2, $3, $4)
RETURNING project_id

-- name: add_tenant
-- A new tenant, with the provider account it shares with others of the same provider, settings and credential.
-- No project of that slug: no row, and no account is made either.
-- $1 slug text, $2 project slug text, $3 provider text, $4 settings jsonb, $5 provider's credential text,
-- $6 credential text, $7 matchers jsonb, $8 grace interval, $9 window interval, $10 ladder text[],
-- $11 guards integer[4]: calendar count, calendar percent, tenant count, tenant percent; $12 subject text.
-- Relies on the unique slugs and the account's unique (provider, settings, credential).
WITH project AS (
    SELECT project_id FROM syncer.project WHERE slug = $2
), account AS (
    INSERT INTO syncer.provider_account (provider, settings, credential)
    SELECT $3, $4, $5 FROM project
    -- Touched, not skipped: a skipped row would not be returned.
    ON CONFLICT (provider, settings, credential) DO UPDATE SET provider = excluded.provider
    RETURNING account_id
)
INSERT INTO syncer.tenant (slug, project_id, account_id, credential, subject, matchers, grace, read_window, ladder,
    guard_calendar_count, guard_calendar_percent, guard_tenant_count, guard_tenant_percent)
SELECT $1, project_id, account_id, $6, $12, $7, $8, $9, $10,
    ($11::integer[])[1], ($11::integer[])[2], ($11::integer[])[3], ($11::integer[])[4]
FROM project, account
RETURNING tenant_id

-- name: add_calendar
-- A new calendar; no row when there is no such tenant.
-- $1 tenant slug text, $2 google_id text, $3 subject text, $4 credential text, $5 addresses text[].
INSERT INTO syncer.calendar (tenant_id, google_id, subject, credential, addresses)
SELECT tenant_id, $2, $3, $4, $5 FROM syncer.tenant WHERE slug = $1
RETURNING calendar_id

-- name: set_state
-- Pauses or resumes a tenant; resuming makes its parked calendars due at once, also when it was active.
-- $1 slug text, $2 state text. Gives whether the state changed and how many were parked; no row when there is none.
-- Not FOR UPDATE: workers' commits lock a calendar first and its tenant's key after it.
WITH before AS (
    SELECT tenant_id, state FROM syncer.tenant WHERE slug = $1 FOR NO KEY UPDATE
), changed AS (
    UPDATE syncer.tenant SET state = $2 FROM before
    WHERE tenant.tenant_id = before.tenant_id AND before.state <> $2
), parked AS (
    SELECT calendar.tenant_id, calendar_id FROM syncer.calendar JOIN before USING (tenant_id)
    WHERE calendar.state = 'parked' AND $2 = 'active'
    ORDER BY calendar_id FOR NO KEY UPDATE OF calendar
), unparked AS (
    UPDATE syncer.calendar SET state = 'active', reason = NULL, failures = 0, next_look_at = NULL FROM parked
    WHERE calendar.tenant_id = parked.tenant_id AND calendar.calendar_id = parked.calendar_id
    RETURNING calendar.calendar_id
)
SELECT state <> $2 AS has_changed, (SELECT count(*) FROM unparked) AS unparked FROM before

-- name: release
-- Lets the held deletions of one calendar through: they are due at once. $1 tenant slug text, $2 google_id text.
-- Gives how many; no row when there is no such calendar. Locks in id order, as the workers' commits do. Each gets a
-- version of its own, so that a push that is under way writes nothing over it.
WITH calendar AS (
    SELECT tenant_id, calendar_id FROM syncer.calendar JOIN syncer.tenant USING (tenant_id)
    WHERE slug = $1 AND google_id = $2
), held AS (
    SELECT conference.tenant_id, conference_id FROM syncer.conference
    JOIN calendar ON conference.tenant_id = calendar.tenant_id AND driver_calendar_id = calendar_id
    WHERE conference.state = 'held'
    ORDER BY conference_id FOR UPDATE OF conference
), released AS (
    UPDATE syncer.conference SET state = 'leaving', reason = NULL, was_released = true,
        delete_after = syncer.clock(), next_try_at = NULL, wanted_version = wanted_version + 1
    FROM held
    WHERE conference.tenant_id = held.tenant_id AND conference.conference_id = held.conference_id
    RETURNING conference.tenant_id, conference.conference_id, driver_calendar_id, driver_event_id
), told AS (
    INSERT INTO syncer.history (tenant_id, kind, conference_id, calendar_id, event_id)
    SELECT tenant_id, 'released', conference_id, driver_calendar_id, driver_event_id FROM released
)
SELECT (SELECT count(*) FROM released) AS count FROM calendar

-- name: slugs
-- Names that exist, for "did you mean". $1 'project' or 'tenant' text.
SELECT slug FROM syncer.project WHERE $1 = 'project'
UNION ALL
SELECT slug FROM syncer.tenant WHERE $1 = 'tenant'
LIMIT 10000

-- name: google_ids
-- Calendar ids of one tenant, for "did you mean". $1 tenant slug text.
SELECT google_id FROM syncer.calendar JOIN syncer.tenant USING (tenant_id) WHERE slug = $1 LIMIT 10000
