-- What a vendor's backend registers: calendars, and conferences whose events nobody has read yet (provisional links).

-- name: put_calendar
-- Makes a calendar, or brings one up to date with what is given, marks it to be looked at and wakes its project's worker.
-- One that was parked is tried at once; one that is paused stays so.
-- $1 tenant_id bigint, $2 google_id text, $3 subject text or NULL, $4 addresses text[], $5 name text and $6 sealed bytea of
-- the calendar's own credential or NULL. Rows: at most one, none for a retired tenant; is_new boolean, state text, and
-- what pg_notify gives. Index: tenant_pkey, grant_pkey, calendar_tenant_id_google_id_key.
WITH mine AS MATERIALIZED (
    SELECT tenant_id, project_id FROM syncer.tenant WHERE tenant_id = $1 AND state <> 'retired' FOR KEY SHARE
), kept AS (
    INSERT INTO syncer.grant AS g (tenant_id, name, sealed) SELECT tenant_id, $5, $6::bytea FROM mine WHERE $6 IS NOT NULL
    ON CONFLICT (tenant_id, name) DO UPDATE
        SET sealed = excluded.sealed, mark = DEFAULT, revision = pg_current_xact_id(), sealed_at = syncer.clock(),
            rotated_at = NULL
    RETURNING name
), put AS (
    INSERT INTO syncer.calendar AS c (tenant_id, google_id, subject, credential, addresses)
    SELECT tenant_id, $2, $3, 'sealed:' || (SELECT name FROM kept), $4::text[] FROM mine
    ON CONFLICT (tenant_id, google_id) DO UPDATE
        SET subject = CASE WHEN excluded.credential IS NULL THEN coalesce(excluded.subject, c.subject)
                           ELSE excluded.subject END,
            credential = coalesce(excluded.credential, c.credential),
            addresses = CASE WHEN excluded.addresses = '{}' THEN c.addresses ELSE excluded.addresses END,
            state = CASE WHEN c.state = 'parked' THEN 'active' ELSE c.state END,
            reason = CASE WHEN c.state = 'parked' THEN NULL ELSE c.reason END,
            next_look_at = CASE WHEN c.state = 'parked' THEN NULL ELSE c.next_look_at END,
            failures = CASE WHEN c.state = 'parked' THEN 0 ELSE c.failures END
    RETURNING c.tenant_id, c.calendar_id, c.xmax = 0 AS is_new, c.state
), marked AS (
    INSERT INTO syncer.notified (tenant_id, calendar_id) SELECT tenant_id, calendar_id FROM put
    ON CONFLICT (tenant_id, calendar_id) DO UPDATE SET mark = DEFAULT, notified_at = syncer.clock()
)
SELECT put.is_new, put.state, pg_notify('syncer_notified', mine.project_id::text) FROM put JOIN mine USING (tenant_id);

-- name: changed
-- Marks a calendar, as a message of Google's does. $1 tenant_id bigint, $2 google_id text. Rows: one if the tenant has
-- such a calendar. Index: calendar_tenant_id_google_id_key, notified_pkey.
WITH found AS MATERIALIZED (
    SELECT c.tenant_id, c.calendar_id, t.project_id FROM syncer.calendar c JOIN syncer.tenant t USING (tenant_id)
    WHERE c.tenant_id = $1 AND c.google_id = $2
), marked AS (
    INSERT INTO syncer.notified (tenant_id, calendar_id) SELECT tenant_id, calendar_id FROM found
    ON CONFLICT (tenant_id, calendar_id) DO UPDATE SET mark = DEFAULT, notified_at = syncer.clock()
)
SELECT pg_notify('syncer_notified', project_id::text) FROM found;

-- name: put_conference
-- Registers a conference that the vendor made: it is the tenant's, and its event is known before it was read. One that is
-- known stays as it is, but for an event id that comes later. The calendar is marked, as by a message.
-- $1 tenant_id bigint, $2 google_id text of the calendar, $3 meeting_id text, $4 event_id text or NULL, $5 seconds until it
-- expires. Rows: at most one, none when the tenant has no such calendar; is_foreign boolean (another tenant's: nothing
-- was written), is_new boolean, state text (NULL for one that somebody wrote at the same moment: ask again), expires_at
-- (NULL when nothing is provisional about it), and what pg_notify gives.
-- Index: calendar_tenant_id_google_id_key, meeting_owner_pkey, conference_tenant_id_account_id_meeting_id_key.
WITH mine AS MATERIALIZED (
    SELECT c.tenant_id, c.calendar_id, t.account_id, t.project_id, o.tenant_id IS NOT NULL AS is_foreign
    FROM syncer.calendar c JOIN syncer.tenant t USING (tenant_id)
    LEFT JOIN syncer.meeting_owner o ON o.account_id = t.account_id AND o.meeting_id = $3 AND o.tenant_id <> $1
    WHERE c.tenant_id = $1 AND c.google_id = $2 AND t.state <> 'retired' FOR KEY SHARE OF c
), before AS MATERIALIZED (
    SELECT c.tenant_id, c.conference_id, c.state FROM mine m
    JOIN syncer.conference c ON c.tenant_id = m.tenant_id AND c.account_id = m.account_id AND c.meeting_id = $3
    WHERE NOT m.is_foreign FOR NO KEY UPDATE OF c
), made AS (
    INSERT INTO syncer.conference (tenant_id, account_id, meeting_id, wanted_version, driver_calendar_id, driver_event_id)
    SELECT tenant_id, account_id, $3, 0, calendar_id, $4 FROM mine
    WHERE NOT is_foreign AND NOT EXISTS (SELECT FROM before)
    ON CONFLICT DO NOTHING
    RETURNING tenant_id, account_id, meeting_id, conference_id, driver_calendar_id AS calendar_id, state
), owned AS (
    INSERT INTO syncer.meeting_owner (account_id, meeting_id, tenant_id) SELECT account_id, meeting_id, tenant_id FROM made
    ON CONFLICT DO NOTHING
), registered AS (
    INSERT INTO syncer.registration (tenant_id, conference_id, calendar_id, event_id, expires_at, look_at)
    SELECT tenant_id, conference_id, calendar_id, $4, at + make_interval(secs => $5), at + interval '1 minute'
    FROM made CROSS JOIN (SELECT syncer.clock() AS at) AS moment
    RETURNING tenant_id, conference_id, expires_at
), named AS (
    UPDATE syncer.registration r SET event_id = $4, calendar_id = m.calendar_id FROM before b, mine m
    WHERE (r.tenant_id, r.conference_id) = (b.tenant_id, b.conference_id) AND r.event_id IS NULL AND $4 IS NOT NULL
    RETURNING r.tenant_id, r.conference_id, r.calendar_id
), driven AS (
    UPDATE syncer.conference c SET driver_calendar_id = n.calendar_id, driver_event_id = $4 FROM named n
    WHERE (c.tenant_id, c.conference_id) = (n.tenant_id, n.conference_id) AND c.driver_event_id IS NULL
), told AS (
    INSERT INTO syncer.history (tenant_id, kind, conference_id, calendar_id, event_id)
    SELECT tenant_id, 'registered', conference_id, calendar_id, $4 FROM made
), marked AS (
    INSERT INTO syncer.notified (tenant_id, calendar_id) SELECT tenant_id, calendar_id FROM mine WHERE NOT is_foreign
    ON CONFLICT (tenant_id, calendar_id) DO UPDATE SET mark = DEFAULT, notified_at = syncer.clock()
)
SELECT m.is_foreign, EXISTS (SELECT FROM made) AS is_new,
       coalesce((SELECT state FROM made), (SELECT state FROM before)) AS state,
       coalesce((SELECT expires_at FROM registered),
                (SELECT r.expires_at FROM before b JOIN syncer.registration r USING (tenant_id, conference_id)
                 WHERE NOT EXISTS (SELECT FROM syncer.link l WHERE l.tenant_id = r.tenant_id
                                                             AND l.conference_id = r.conference_id))) AS expires_at,
       CASE WHEN m.is_foreign THEN NULL ELSE pg_notify('syncer_notified', m.project_id::text) END
FROM mine m;

-- name: expected
-- Provisional links of these events. $1 jsonb [{tenant_id, calendar_id, event_ids}].
-- Rows: place bigint, in $1 and from 1, event_id, meeting_id. Index: registration_of_event, conference_pkey.
SELECT a.place, r.event_id, c.meeting_id
FROM ROWS FROM (jsonb_to_recordset($1) AS (tenant_id bigint, calendar_id bigint, event_ids text[]))
    WITH ORDINALITY AS a(tenant_id, calendar_id, event_ids, place)
JOIN syncer.registration r ON r.tenant_id = a.tenant_id AND r.calendar_id = a.calendar_id
                          AND r.event_id = ANY (a.event_ids)
JOIN syncer.conference c ON c.tenant_id = r.tenant_id AND c.conference_id = r.conference_id;

-- name: due
-- Provisional links of some tenants whose events are to be asked for, or that are to expire. $1 tenant ids bigint[], $2 at
-- most so many. Rows: tenant_id, conference_id, calendar_id, event_id, registered_at, expires_at, is_linked (an event was
-- read that refers to it), is_live (nothing else has become of it).
-- Index: registration_due, link_to_conference, conference_pkey.
SELECT r.tenant_id, r.conference_id, r.calendar_id, r.event_id, r.registered_at, r.expires_at,
       EXISTS (SELECT FROM syncer.link l WHERE l.tenant_id = r.tenant_id AND l.conference_id = r.conference_id) AS is_linked,
       c.state = 'live' AS is_live
FROM syncer.registration r JOIN syncer.conference c USING (tenant_id, conference_id)
WHERE r.tenant_id = ANY ($1::bigint[]) AND r.look_at <= syncer.clock()
ORDER BY r.look_at LIMIT $2;

-- name: look_later
-- When the events of provisional links are asked for next. Not fenced: it ends nothing. $1 tenant ids bigint[] and, place
-- by place, $2 conference ids bigint[], $3 timestamptz[]. Rows: none. Index: registration_pkey.
UPDATE syncer.registration r SET look_at = a.look_at
FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) AS a(tenant_id, conference_id, look_at)
WHERE r.tenant_id = a.tenant_id AND r.conference_id = a.conference_id;

-- name: expire
-- Takes provisional links away: their conferences are let go, left as they are, or were taken over by an event.
-- $1 project_id, $2 owner, $3 epoch; $4 tenant ids bigint[] and, place by place, $5 conference ids bigint[], $6 'let_go',
-- 'leave' or 'done' text[], $7 why text[]. Rows: none. What got a link meanwhile is only taken away. Index: conference_pkey,
-- registration_pkey, link_of_conference.
WITH fence AS MATERIALIZED (
    SELECT project_id FROM syncer.lease WHERE project_id = $1 AND owner = $2 AND epoch = $3 FOR KEY SHARE
), turn AS MATERIALIZED (
    SELECT c.tenant_id, c.conference_id, a.what, a.reason
    FROM fence, unnest($4::bigint[], $5::bigint[], $6::text[], $7::text[]) AS a(tenant_id, conference_id, what, reason)
    JOIN syncer.conference c USING (tenant_id, conference_id)
    ORDER BY c.tenant_id, c.conference_id FOR NO KEY UPDATE OF c
), gone AS (
    DELETE FROM syncer.registration r USING turn
    WHERE r.tenant_id = turn.tenant_id AND r.conference_id = turn.conference_id
    RETURNING r.tenant_id, r.conference_id, r.calendar_id, r.event_id, turn.what, turn.reason
), lone AS MATERIALIZED (
    SELECT g.* FROM gone g JOIN syncer.conference c USING (tenant_id, conference_id)
    WHERE g.what <> 'done' AND c.state = 'live' AND NOT EXISTS (
        SELECT FROM syncer.link l WHERE l.tenant_id = g.tenant_id AND l.conference_id = g.conference_id)
), told AS (
    INSERT INTO syncer.history (tenant_id, kind, conference_id, calendar_id, event_id, detail)
    SELECT tenant_id, CASE WHEN what = 'let_go' THEN 'unlinked' ELSE 'detached' END, conference_id, calendar_id, event_id,
           jsonb_build_object('reason', reason) FROM lone
)
UPDATE syncer.conference c
SET wanted_version = c.wanted_version + 1, next_try_at = NULL,
    applied_version = CASE WHEN l.what = 'leave' THEN c.wanted_version + 1 ELSE c.applied_version END,
    state = CASE WHEN l.what = 'leave' THEN 'detached' ELSE c.state END,
    reason = CASE WHEN l.what = 'leave' THEN l.reason ELSE c.reason END
FROM lone l WHERE c.tenant_id = l.tenant_id AND c.conference_id = l.conference_id;
