-- What an operator writes: projects, provider accounts, tenants, calendars, and the release of held deletions.

-- name: add_project
-- A new project; its lease row comes by trigger.
-- $1 slug text, $2 per_minute integer, $3 per_user_minute integer, $4 per_day bigint. Gives one row.
INSERT INTO syncer.project (slug, per_minute, per_user_minute, per_day)
VALUES ($1, $2, $3, $4)
RETURNING project_id

-- name: add_tenant
-- A new tenant, with the provider account it shares with others of the same provider, settings and credential.
-- No project of that slug: no row, and no account is made either.
-- $1 slug text, $2 project slug text, $3 provider text, $4 settings jsonb, $5 provider's credential text,
-- $6 credential text, $7 matchers jsonb, $8 grace interval, $9 window interval, $10 ladder text[],
-- $11 guards integer[4]: calendar count, calendar percent, tenant count, tenant percent; $12 subject text,
-- $13 provider limits text[], which go to those there are; $14 requests a minute integer or NULL, $15 weight integer.
-- Relies on the unique slugs and the account's unique (provider, settings, credential).
WITH project AS (
    SELECT project_id FROM syncer.project WHERE slug = $2
), account AS (
    INSERT INTO syncer.provider_account AS a (provider, settings, credential, limits)
    SELECT $3, $4, $5, $13 FROM project
    -- Touched, not skipped: a skipped row would not be returned.
    ON CONFLICT (provider, settings, credential) DO UPDATE
        SET limits = a.limits || ARRAY(SELECT unnest(excluded.limits) EXCEPT SELECT unnest(a.limits))
    RETURNING account_id
)
INSERT INTO syncer.tenant (slug, project_id, account_id, credential, subject, matchers, grace, read_window, ladder,
    guard_calendar_count, guard_calendar_percent, guard_tenant_count, guard_tenant_percent, per_minute, weight)
SELECT $1, project_id, account_id, $6, $12, $7, $8, $9, $10,
    ($11::integer[])[1], ($11::integer[])[2], ($11::integer[])[3], ($11::integer[])[4], $14::integer, $15::integer
FROM project, account
RETURNING tenant_id

-- name: set_tenant
-- Changes what a tenant decided; NULL leaves as it is. Its provider account is changed for all tenants that share it.
-- $1 slug text, $2 credential text, $3 subject text, $4 whether the subject goes boolean, $5 matchers jsonb,
-- $6 grace interval, $7 window interval, $8 ladder text[], $9 guards integer[4] as for add_tenant, each may be NULL;
-- $10 provider settings jsonb that go over those there are, $11 provider's credential text, $12 provider limits text[]
-- instead of those there are, $13 requests a minute integer, 0 for no limit; $14 weight integer.
-- Gives the names of what has changed; no row when there is no such tenant.
WITH before AS (
    SELECT * FROM syncer.tenant WHERE slug = $1 FOR NO KEY UPDATE
), account AS (
    SELECT a.* FROM syncer.provider_account a JOIN before USING (account_id) FOR UPDATE OF a
), after AS (
    UPDATE syncer.tenant t
    SET credential = coalesce($2::text, t.credential),
        subject = CASE WHEN $4::boolean THEN NULL ELSE coalesce($3::text, t.subject) END,
        matchers = coalesce($5::jsonb, t.matchers), grace = coalesce($6::interval, t.grace),
        read_window = coalesce($7::interval, t.read_window), ladder = coalesce($8::text[], t.ladder),
        guard_calendar_count = coalesce(($9::integer[])[1], t.guard_calendar_count),
        guard_calendar_percent = coalesce(($9::integer[])[2], t.guard_calendar_percent),
        guard_tenant_count = coalesce(($9::integer[])[3], t.guard_tenant_count),
        guard_tenant_percent = coalesce(($9::integer[])[4], t.guard_tenant_percent),
        per_minute = CASE WHEN $13::integer = 0 THEN NULL ELSE coalesce($13::integer, t.per_minute) END,
        weight = coalesce($14::integer, t.weight)
    FROM before WHERE t.tenant_id = before.tenant_id
    RETURNING t.*
), moved AS (
    UPDATE syncer.provider_account a
    SET settings = a.settings || coalesce($10::jsonb, '{}'), credential = coalesce($11::text, a.credential),
        limits = coalesce($12::text[], a.limits)
    FROM account WHERE a.account_id = account.account_id
        AND ($10::jsonb IS NOT NULL OR $11::text IS NOT NULL OR $12::text[] IS NOT NULL)
    RETURNING a.*
)
SELECT array_remove(ARRAY[
    CASE WHEN after.credential <> before.credential THEN 'credential' END,
    CASE WHEN after.subject IS DISTINCT FROM before.subject THEN 'subject' END,
    CASE WHEN after.matchers <> before.matchers THEN 'matchers' END,
    CASE WHEN after.grace <> before.grace THEN 'grace' END,
    CASE WHEN after.read_window <> before.read_window THEN 'window' END,
    CASE WHEN after.ladder <> before.ladder THEN 'write-back' END,
    CASE WHEN (after.guard_calendar_count, after.guard_calendar_percent, after.guard_tenant_count,
               after.guard_tenant_percent)
           <> (before.guard_calendar_count, before.guard_calendar_percent, before.guard_tenant_count,
               before.guard_tenant_percent) THEN 'guards' END,
    CASE WHEN after.per_minute IS DISTINCT FROM before.per_minute THEN 'requests a minute' END,
    CASE WHEN after.weight <> before.weight THEN 'weight' END,
    CASE WHEN moved.settings <> account.settings THEN 'provider settings' END,
    CASE WHEN moved.limits <> account.limits THEN 'provider limits' END,
    CASE WHEN moved.credential <> account.credential THEN 'provider credential' END
], NULL) AS changed
FROM before JOIN after USING (tenant_id) CROSS JOIN account LEFT JOIN moved ON true

-- name: sharers
-- The other tenants of a tenant's provider account, by slug. $1 slug text. Index: none (a row a tenant).
SELECT other.slug FROM syncer.tenant other JOIN syncer.tenant mine USING (account_id)
WHERE mine.slug = $1 AND other.slug <> $1
ORDER BY other.slug

-- name: add_calendar
-- A new calendar; no row when there is no such tenant, or it is retired.
-- $1 tenant slug text, $2 google_id text, $3 subject text, $4 credential text, $5 addresses text[].
INSERT INTO syncer.calendar (tenant_id, google_id, subject, credential, addresses)
SELECT tenant_id, $2, $3, $4, $5 FROM syncer.tenant WHERE slug = $1 AND state <> 'retired'
RETURNING calendar_id

-- name: set_state
-- Pauses, resumes or retires a tenant; resuming makes its parked calendars due at once, also when it was active.
-- $1 slug text, $2 state text. Gives the state before and how many were parked; no row when there is none.
-- A retired tenant is not paused: it stays as it is.
-- Not FOR UPDATE: workers' commits lock a calendar first and its tenant's key after it.
WITH before AS (
    SELECT tenant_id, state FROM syncer.tenant WHERE slug = $1 FOR NO KEY UPDATE
), changed AS (
    UPDATE syncer.tenant SET state = $2 FROM before
    WHERE tenant.tenant_id = before.tenant_id AND before.state <> $2
        AND NOT (before.state = 'retired' AND $2 = 'paused')
), parked AS (
    SELECT calendar.tenant_id, calendar_id FROM syncer.calendar JOIN before USING (tenant_id)
    WHERE calendar.state = 'parked' AND $2 = 'active'
    ORDER BY calendar_id FOR NO KEY UPDATE OF calendar
), unparked AS (
    UPDATE syncer.calendar SET state = 'active', reason = NULL, failures = 0, next_look_at = NULL FROM parked
    WHERE calendar.tenant_id = parked.tenant_id AND calendar.calendar_id = parked.calendar_id
    RETURNING calendar.calendar_id
)
SELECT state AS before, (SELECT count(*) FROM unparked) AS unparked FROM before

-- name: set_calendar_state
-- Pauses or resumes one calendar; one that was parked is due at once after resuming.
-- $1 tenant slug text, $2 google_id text, $3 state text. Gives the state before; no row when there is none.
WITH before AS (
    SELECT calendar.tenant_id, calendar_id, calendar.state FROM syncer.calendar JOIN syncer.tenant USING (tenant_id)
    WHERE slug = $1 AND google_id = $2 FOR NO KEY UPDATE OF calendar
), changed AS (
    UPDATE syncer.calendar SET state = $3, reason = NULL, failures = 0, next_look_at = NULL FROM before
    WHERE calendar.tenant_id = before.tenant_id AND calendar.calendar_id = before.calendar_id AND before.state <> $3
)
SELECT state AS before FROM before

-- name: resync
-- Has one calendar read anew: its cursor is worthless, and a full read under a new generation is due. What was read
-- stays. One that is parked is tried at once.
-- $1 tenant slug text, $2 google_id text. Rows: one when there is such a calendar.
WITH found AS (
    SELECT calendar.tenant_id, calendar_id FROM syncer.calendar JOIN syncer.tenant USING (tenant_id)
    WHERE slug = $1 AND google_id = $2 FOR NO KEY UPDATE OF calendar
), told AS (
    INSERT INTO syncer.history (tenant_id, kind, calendar_id, detail)
    SELECT tenant_id, 'read_anew', calendar_id, '{"reason": "a person asked for it"}' FROM found
)
UPDATE syncer.calendar c
SET sync_token = NULL, page_token = NULL, is_full_read = true, read_from = NULL,
    state = CASE WHEN c.state = 'parked' THEN 'active' ELSE c.state END,
    reason = CASE WHEN c.state = 'paused' THEN c.reason END, failures = 0, next_look_at = NULL
FROM found WHERE c.tenant_id = found.tenant_id AND c.calendar_id = found.calendar_id
RETURNING true

-- name: retirable
-- The calendars of a tenant, or one of them. $1 tenant_id bigint, $2 google_id text or NULL. Index: calendar_pkey.
SELECT calendar_id FROM syncer.calendar WHERE tenant_id = $1 AND ($2::text IS NULL OR google_id = $2)
ORDER BY calendar_id

-- name: staying
-- How many of a tenant's meetings would be detached if some calendars of it went, as retire_calendars does it.
-- $1 tenant_id bigint, $2 calendar ids bigint[]. Rows: one. Index: conference_pkey, link_to_conference.
SELECT count(*) FROM syncer.conference c
WHERE tenant_id = $1 AND state IN ('live', 'leaving', 'held')
    AND (driver_calendar_id = ANY ($2::bigint[]) OR EXISTS (
        SELECT FROM syncer.link l WHERE l.tenant_id = $1 AND l.conference_id = c.conference_id
            AND l.calendar_id = ANY ($2::bigint[])))
    AND NOT EXISTS (
        SELECT FROM syncer.link l WHERE l.tenant_id = $1 AND l.conference_id = c.conference_id
            AND l.calendar_id <> ALL ($2::bigint[]))

-- name: retire_calendars
-- Removes calendars and detaches their meetings; gives how many of them. $1 tenant_id bigint, $2 calendar ids bigint[].
SELECT syncer.retire_calendars($1, $2::bigint[])

-- name: tenant_id
-- A tenant's id and state; no row when there is none. $1 slug text.
SELECT tenant_id, state FROM syncer.tenant WHERE slug = $1

-- name: forget_history
-- Some of a tenant's history goes; gives how many lines. $1 tenant_id bigint, $2 at most so many. Index: history_pkey.
WITH gone AS (
    DELETE FROM syncer.history WHERE (tenant_id, at, history_id) IN (
        SELECT tenant_id, at, history_id FROM syncer.history WHERE tenant_id = $1 ORDER BY at, history_id LIMIT $2)
    RETURNING history_id
)
SELECT count(*) FROM gone

-- name: forget_conferences
-- Some of a tenant's conferences go, with their links; gives how many. $1 tenant_id bigint, $2 at most so many.
-- Index: conference_pkey.
WITH gone AS (
    DELETE FROM syncer.conference WHERE tenant_id = $1 AND conference_id IN (
        SELECT conference_id FROM syncer.conference WHERE tenant_id = $1 ORDER BY conference_id LIMIT $2)
    RETURNING conference_id
)
SELECT count(*) FROM gone

-- name: forget_tenant
-- What is left of a tenant goes; its provider account and its project stay. $1 tenant_id bigint. Rows: none.
DELETE FROM syncer.tenant WHERE tenant_id = $1

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
    -- One that was let through before and that its provider did not do is for retry.
    WHERE conference.state = 'held' AND NOT was_released
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
