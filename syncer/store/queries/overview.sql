-- What an operator reads: lists, one of each, why a calendar is or is not up to date, what was done to a meeting.
-- Read rarely and by people, so these may count and join.

-- name: projects
-- Projects with what they serve. $1 slug text or NULL for all. By slug. spent_today: of Google's day, as was written
-- down last; pace: what part of a minute's requests is used, as refusals have taught.
SELECT project_id, slug, per_minute, per_user_minute, per_day, created_at,
    (SELECT count(*) FROM syncer.tenant WHERE tenant.project_id = project.project_id) AS tenants,
    (SELECT count(*) FROM syncer.tenant JOIN syncer.calendar USING (tenant_id)
        WHERE tenant.project_id = project.project_id) AS calendars,
    lease.until > syncer.clock() AS is_served, lease.epoch,
    coalesce(CASE WHEN budget.day = (syncer.clock() AT TIME ZONE 'America/Los_Angeles')::date
        THEN budget.day_count END, 0) AS spent_today, coalesce(budget.pace, 1.0) AS pace
FROM syncer.project JOIN syncer.lease USING (project_id) LEFT JOIN syncer.budget USING (project_id)
WHERE $1::text IS NULL OR slug = $1
ORDER BY slug

-- name: tenants
-- Tenants with their account and counts. $1 slug text or NULL for all. By slug.
SELECT tenant.slug, project.slug AS project, tenant.state, tenant.credential, tenant.subject, account.provider,
    account.settings AS provider_settings, account.credential AS provider_credential,
    account.limits AS provider_limits, tenant.per_minute, tenant.weight, tenant.matchers,
    extract(epoch FROM tenant.grace)::float8 AS grace_seconds,
    extract(epoch FROM tenant.read_window)::float8 AS window_seconds, tenant.ladder, tenant.created_at,
    ARRAY[guard_calendar_count, guard_calendar_percent, guard_tenant_count, guard_tenant_percent] AS guards,
    (SELECT count(*) FROM syncer.calendar WHERE calendar.tenant_id = tenant.tenant_id) AS calendars,
    (SELECT count(*) FROM syncer.conference
        WHERE conference.tenant_id = tenant.tenant_id AND conference.state = 'live') AS conferences,
    (SELECT count(*) FROM syncer.conference
        WHERE conference.tenant_id = tenant.tenant_id AND conference.state = 'held' AND NOT was_released) AS held
FROM syncer.tenant JOIN syncer.project USING (project_id)
JOIN syncer.provider_account AS account USING (account_id)
WHERE $1::text IS NULL OR tenant.slug = $1
ORDER BY tenant.slug

-- name: calendars
-- Calendars with where their reading stands. $1 tenant slug text or NULL, $2 google_id text or NULL. By both.
SELECT calendar.tenant_id, calendar_id, tenant.slug AS tenant, google_id,
    coalesce(calendar.subject, CASE WHEN calendar.credential IS NULL THEN tenant.subject END) AS subject,
    calendar.credential, addresses,
    calendar.state, calendar.reason, next_look_at, failures, sync_token IS NOT NULL AS has_sync_token,
    page_token IS NOT NULL AS is_between_pages, is_full_read, generation, sees_details, time_zone, changed_at,
    calendar.created_at, tenant.state AS tenant_state, project.slug AS project,
    lease.until > syncer.clock() AS is_served, lease.epoch > 0 AS was_served,
    (SELECT count(*) FROM syncer.link
        WHERE link.tenant_id = calendar.tenant_id AND link.calendar_id = calendar.calendar_id) AS links
FROM syncer.calendar JOIN syncer.tenant USING (tenant_id)
JOIN syncer.project USING (project_id) JOIN syncer.lease USING (project_id)
WHERE ($1::text IS NULL OR tenant.slug = $1) AND ($2::text IS NULL OR google_id = $2)
ORDER BY tenant.slug, google_id

-- name: conferences
-- Conferences with their driver. $1 tenant slug text or NULL, $2 meeting_id text or NULL, $3 most rows bigint, $4 state
-- text or NULL.
-- Newest first within a tenant. Relies on history_of_conference.
SELECT conference.tenant_id, conference_id, tenant.slug AS tenant, meeting_id, conference.state,
    -- What was wrong before it was detached is nothing to it any more.
    CASE WHEN conference.state = 'detached' THEN (
        SELECT history.detail ->> 'reason' FROM syncer.history
        WHERE history.tenant_id = conference.tenant_id AND history.conference_id = conference.conference_id
            AND history.kind = 'detached'
        ORDER BY history.at DESC, history_id DESC LIMIT 1) ELSE conference.reason END AS reason,
    wanted_version, applied_version, is_in_doubt, calendar.google_id AS driver,
    driver_event_id, unlinked_at, delete_after, was_released, conference.failures, next_try_at, read_back_at,
    deleted_at, conference.created_at,
    applied ->> 'title' AS title, applied -> 'starts' AS starts, applied -> 'ends' AS ends,
    -- What comes after the path may let anyone in.
    regexp_replace(meeting ->> 'join_url', '([?#]).*', '\1…') AS join_url,
    (SELECT count(*) FROM syncer.link
        WHERE link.tenant_id = conference.tenant_id AND link.conference_id = conference.conference_id) AS links
FROM syncer.tenant JOIN syncer.conference USING (tenant_id)
LEFT JOIN syncer.calendar ON calendar.tenant_id = conference.tenant_id AND calendar_id = driver_calendar_id
WHERE ($1::text IS NULL OR tenant.slug = $1) AND ($2::text IS NULL OR meeting_id = $2)
    AND ($4::text IS NULL OR conference.state = $4)
ORDER BY tenant.slug, conference_id DESC
LIMIT $3

-- name: solutions
-- Which conference each stored event of a tenant refers to, and by what. $1 tenant slug text. One row a link.
SELECT conference_id, event -> 'solution' AS solution
FROM syncer.link JOIN syncer.tenant USING (tenant_id) JOIN syncer.conference USING (tenant_id, conference_id)
WHERE slug = $1 AND conference.state IN ('live', 'leaving', 'held')

-- name: links
-- Links of one conference. $1 tenant_id bigint, $2 conference_id bigint. Relies on link_to_conference.
SELECT google_id, event_id, rung, write_backs
FROM syncer.link JOIN syncer.calendar USING (tenant_id, calendar_id)
WHERE link.tenant_id = $1 AND conference_id = $2
ORDER BY google_id, event_id

-- name: driven
-- Conferences that one calendar drives, without those that are over: one whose meeting is gone at its provider counts
-- while an event refers to it. $1 tenant_id bigint, $2 calendar_id bigint. Relies on link_to_conference.
SELECT meeting_id, state, reason, wanted_version > applied_version AS is_behind, is_in_doubt, delete_after,
    was_released, failures, next_try_at
FROM syncer.conference
WHERE tenant_id = $1 AND driver_calendar_id = $2 AND (state IN ('live', 'leaving', 'held') OR state = 'gone' AND EXISTS (
    SELECT FROM syncer.link
    WHERE link.tenant_id = conference.tenant_id AND link.conference_id = conference.conference_id))
ORDER BY conference_id

-- name: notes
-- Entries of one calendar that make no link. $1 tenant_id bigint, $2 calendar_id bigint. By kind, oldest first.
SELECT kind, event_id, reason, seen_at FROM syncer.note
WHERE tenant_id = $1 AND calendar_id = $2
ORDER BY kind, seen_at, event_id

-- name: history
-- What was done to one conference, oldest first. $1 tenant_id bigint, $2 conference_id bigint. The organizer of an event
-- that is gone is the one the meeting was left with, on the calendar that decided last: links on one calendar are of
-- one organizer. Relies on history_of_conference and link_pkey.
SELECT h.at, h.kind, calendar.google_id AS calendar, h.event_id, h.detail, conference.meeting_id,
    coalesce(link.event ->> 'organizer', CASE WHEN driver_calendar_id = h.calendar_id THEN
        coalesce(conference.applied ->> 'organizer', conference.meeting -> 'holds' ->> 'organizer') END) AS organizer
FROM syncer.history h JOIN syncer.conference USING (tenant_id, conference_id)
LEFT JOIN syncer.calendar USING (tenant_id, calendar_id)
LEFT JOIN syncer.link USING (tenant_id, calendar_id, event_id)
WHERE h.tenant_id = $1 AND h.conference_id = $2
ORDER BY h.at, h.history_id

-- name: latest
-- What was done last to the conferences that one calendar drives, newest first. $1 tenant_id bigint, $2 calendar_id
-- bigint, $3 at most so many. Organizers as in `history`. One look at history_of_conference for each conference.
SELECT h.at, h.kind, calendar.google_id AS calendar, h.event_id, h.detail, conference.meeting_id,
    coalesce(link.event ->> 'organizer', CASE WHEN driver_calendar_id = h.calendar_id THEN
        coalesce(conference.applied ->> 'organizer', conference.meeting -> 'holds' ->> 'organizer') END) AS organizer
FROM syncer.conference
CROSS JOIN LATERAL (
    SELECT * FROM syncer.history
    WHERE history.tenant_id = conference.tenant_id AND history.conference_id = conference.conference_id
    ORDER BY history.at DESC, history_id DESC LIMIT $3) AS h
LEFT JOIN syncer.calendar ON calendar.tenant_id = h.tenant_id AND calendar.calendar_id = h.calendar_id
LEFT JOIN syncer.link ON link.tenant_id = h.tenant_id AND link.calendar_id = h.calendar_id AND link.event_id = h.event_id
WHERE conference.tenant_id = $1 AND driver_calendar_id = $2
ORDER BY h.at DESC, h.history_id DESC LIMIT $3

-- name: read_anew
-- When and why one calendar was last asked to be read from the start. $1 tenant_id bigint, $2 calendar_id bigint.
-- Rows: at most one. Relies on history_of_conference.
SELECT at, kind, google_id AS calendar, event_id, detail, NULL AS meeting_id, NULL AS organizer
FROM syncer.history JOIN syncer.calendar USING (tenant_id, calendar_id)
WHERE tenant_id = $1 AND conference_id IS NULL AND calendar_id = $2 AND kind = 'read_anew'
ORDER BY at DESC, history_id DESC LIMIT 1

-- name: series
-- The rules of one calendar's series with a meeting, by event id. $1 tenant_id bigint, $2 calendar_id bigint.
-- Relies on link_pkey.
SELECT event_id, meeting_id, event -> 'recurrence' AS lines, event -> 'starts' AS starts
FROM syncer.link JOIN syncer.conference USING (tenant_id, conference_id)
WHERE link.tenant_id = $1 AND calendar_id = $2 AND event -> 'recurrence' <> '[]' AND event ->> 'starts' IS NOT NULL
ORDER BY event_id

-- name: series_of_conference
-- The rules of one conference's series, by calendar and event id. $1 tenant_id bigint, $2 conference_id bigint.
-- Relies on link_to_conference.
SELECT event_id, meeting_id, event -> 'recurrence' AS lines, event -> 'starts' AS starts, time_zone
FROM syncer.link JOIN syncer.conference USING (tenant_id, conference_id) JOIN syncer.calendar USING (tenant_id, calendar_id)
WHERE link.tenant_id = $1 AND conference_id = $2 AND event -> 'recurrence' <> '[]' AND event ->> 'starts' IS NOT NULL
ORDER BY calendar_id, event_id

-- name: particulars
-- Who owns a conference's meeting, and what its provider did not hold after the last update. $1 tenant_id bigint,
-- $2 conference_id bigint. One row; not_held jsonb array or NULL. Relies on meeting_owner_pkey and history_of_conference.
SELECT owner.slug AS owner, (
    SELECT h.detail -> 'not_held' FROM syncer.history h
    WHERE h.tenant_id = c.tenant_id AND h.conference_id = c.conference_id AND h.kind = 'updated'
    ORDER BY h.at DESC, h.history_id DESC LIMIT 1) AS not_held
FROM syncer.conference c
LEFT JOIN syncer.meeting_owner o ON o.account_id = c.account_id AND o.meeting_id = c.meeting_id
LEFT JOIN syncer.tenant owner ON owner.tenant_id = o.tenant_id
WHERE c.tenant_id = $1 AND c.conference_id = $2

-- name: clock
-- The database's own time, and syncer's (they differ on a test cluster only). One row.
SELECT clock_timestamp() AS real_at, syncer.clock() AS at

-- name: clock_mark
-- The mark of a cluster for tests and demos, and how far its clock is moved. No row on any other.
SELECT shift <> interval '0' AS is_moved, shift::text AS shift FROM syncer.test_clock

-- name: access
-- Whether this role may write, and whether it may migrate: make the schema, or change what its owner made. One row.
SELECT current_user::text AS role, datname::text AS database,
    pg_get_userbyid(coalesce(relowner, nspowner, datdba))::text AS owner,
    pg_namespace.oid IS NOT NULL AS has_schema, current_setting('transaction_read_only')::boolean AS is_read_only,
    CASE WHEN pg_namespace.oid IS NULL THEN has_database_privilege(pg_database.oid, 'CREATE')
        ELSE has_schema_privilege(pg_namespace.oid, 'CREATE') AND coalesce(pg_has_role(relowner, 'USAGE'), true)
    END AS may_migrate
FROM pg_database
LEFT JOIN pg_namespace ON nspname = 'syncer'
LEFT JOIN pg_class ON relnamespace = pg_namespace.oid AND relname = 'migration'
WHERE datname = current_database()

-- name: version
-- Postgres's version number, as 150004. One row.
SELECT current_setting('server_version_num')::integer

-- name: privileges
-- What this role lacks in the schema, one row for each table and right. A missing USAGE is told as table ''.
SELECT '' AS relation, 'USAGE' AS privilege
WHERE NOT has_schema_privilege((SELECT oid FROM pg_namespace WHERE nspname = 'syncer'), 'USAGE')
UNION ALL
SELECT relname, privilege
FROM pg_class, unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS privilege
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'syncer') AND relkind IN ('r', 'p')
    AND NOT relispartition
    AND (privilege = 'SELECT' OR relname NOT IN ('test_clock', 'migration', 'schema_migrations'))
    AND NOT has_table_privilege(pg_class.oid, privilege)
ORDER BY 1, 2
