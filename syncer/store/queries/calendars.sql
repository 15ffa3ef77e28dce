-- name: tenants
-- The active tenants of a project, with their provider accounts.
-- $1 project_id bigint. Rows: one a tenant. Index: tenant_of_project.
SELECT t.tenant_id, t.slug, t.matchers, t.grace, t.read_window, t.ladder,
       t.guard_calendar_count, t.guard_calendar_percent, t.guard_tenant_count, t.guard_tenant_percent,
       a.account_id, a.provider, a.settings, a.credential AS provider_credential
FROM syncer.tenant t JOIN syncer.provider_account a USING (account_id)
WHERE t.project_id = $1 AND t.state = 'active';

-- name: calendars
-- The calendars of a project that are served, with their cursors. A parked one comes with the time it waits for.
-- The tenant's subject goes with the tenant's credential: a user's own grant speaks for nobody else.
-- $1 project_id bigint. Rows: one a calendar. Index: tenant_of_project, calendar_pkey.
SELECT c.tenant_id, c.calendar_id, c.google_id, coalesce(c.credential, t.credential) AS credential,
       coalesce(c.subject, CASE WHEN c.credential IS NULL THEN t.subject END) AS subject, c.addresses, c.sync_token, c.page_token, c.generation, c.is_full_read, c.read_from, c.pin, c.failures,
       c.next_look_at
FROM syncer.calendar c JOIN syncer.tenant t USING (tenant_id)
WHERE t.project_id = $1 AND t.state = 'active' AND c.state <> 'paused';

-- name: paused
-- Whether a tenant has calendars that nobody looks at. $1 tenant_id. Rows: one boolean. Index: calendar_pkey.
SELECT EXISTS (SELECT FROM syncer.calendar WHERE tenant_id = $1 AND state = 'paused');

-- name: known
-- The links of some events of one calendar, or of all of them that a full read left behind.
-- $1 tenant_id, $2 calendar_id, $3 event ids text[]. Rows: at most one an event. Index: link_pkey.
SELECT l.*, c.meeting_id FROM syncer.link l JOIN syncer.conference c USING (tenant_id, conference_id)
WHERE l.tenant_id = $1 AND l.calendar_id = $2 AND l.event_id = ANY ($3::text[]);

-- name: left_behind
-- Links that the newest full read has not seen.
-- $1 tenant_id, $2 calendar_id, $3 generation bigint. Rows: any number. Index: link_pkey.
SELECT l.*, c.meeting_id FROM syncer.link l JOIN syncer.conference c USING (tenant_id, conference_id)
WHERE l.tenant_id = $1 AND l.calendar_id = $2 AND l.generation < $3;

-- name: commit_page
-- Writes down one page: links put and dropped, notes, the conferences they touch, history and the cursor, or nothing
-- at all when the lease is another's. The sync token goes in with the last page only.
-- $1 project_id, $2 owner uuid, $3 epoch; $4 tenant_id, $5 calendar_id;
-- $6 event ids text[], $7 their meeting ids text[], $8 events jsonb[], $9 is_news boolean[];
-- $10 dropped event ids text[], $11 their is_detaching boolean[], $12 meeting ids that lose one of those text[];
-- $13 notes jsonb [{event_id, kind, etag, reason}]; $14 history jsonb [{kind, event_id, meeting_id, detail}];
-- $15 cursor jsonb {sync_token, page_token, generation, is_full_read, read_from, pin, time_zone}; $16 event ids seen text[];
-- $17 is_users boolean[] and $18 is_new boolean[] beside $6.
-- Rows: one; is_ours boolean, touched bigint[] (conference ids). Index: primary keys; conference's unique key.
WITH fence AS MATERIALIZED (
    SELECT project_id FROM syncer.lease WHERE project_id = $1 AND owner = $2 AND epoch = $3 FOR KEY SHARE
), account AS MATERIALIZED (
    SELECT t.tenant_id, t.account_id FROM syncer.tenant t, fence WHERE t.tenant_id = $4
), put AS MATERIALIZED (
    SELECT p.* FROM unnest($6::text[], $7::text[], $8::jsonb[], $9::boolean[], $17::boolean[], $18::boolean[])
        AS p(event_id, meeting_id, event, is_news, is_users, is_new), fence
), loss AS MATERIALIZED (
    SELECT DISTINCT m.meeting_id FROM unnest($12::text[]) AS m(meeting_id), fence
), meeting AS MATERIALIZED (
    SELECT p.meeting_id,
           bool_or(p.is_news) OR EXISTS (SELECT FROM loss WHERE loss.meeting_id = p.meeting_id) AS is_touched
    FROM put p GROUP BY p.meeting_id
), locked AS MATERIALIZED (
    -- All at once and in one order: two calendars between which events move in both directions must not deadlock.
    SELECT c.conference_id FROM syncer.conference c, account a
    WHERE c.tenant_id = a.tenant_id AND c.account_id = a.account_id
      AND c.meeting_id IN (SELECT meeting_id FROM meeting UNION SELECT meeting_id FROM loss)
    ORDER BY c.meeting_id FOR NO KEY UPDATE OF c
), dropped AS (
    DELETE FROM syncer.link l
    USING unnest($10::text[], $11::boolean[]) AS d(event_id, is_detaching), fence
    WHERE l.tenant_id = $4 AND l.calendar_id = $5 AND l.event_id = d.event_id
    RETURNING l.conference_id, l.event_id, d.is_detaching
), stray AS MATERIALIZED (
    -- Links that went and were not the driver's: a last look at the driver's event says nothing of where theirs are.
    SELECT d.conference_id FROM dropped d JOIN syncer.conference c ON c.tenant_id = $4 AND c.conference_id = d.conference_id
    WHERE (d.event_id, $5::bigint) IS DISTINCT FROM (c.driver_event_id, c.driver_calendar_id)
), referred AS (
    INSERT INTO syncer.conference AS c (tenant_id, account_id, meeting_id, wanted_version)
    SELECT a.tenant_id, a.account_id, m.meeting_id, m.is_touched::int FROM meeting m, account a
    WHERE (SELECT count(*) FROM locked) >= 0 ORDER BY m.meeting_id
    ON CONFLICT (tenant_id, account_id, meeting_id) DO UPDATE
        SET wanted_version = c.wanted_version + excluded.wanted_version,
            next_try_at = CASE WHEN excluded.wanted_version > 0 THEN NULL ELSE c.next_try_at END,
            state = CASE WHEN c.state = 'detached' THEN 'live' ELSE c.state END,
            strayed_at = CASE WHEN EXISTS (SELECT FROM stray s WHERE s.conference_id = c.conference_id)
                              THEN syncer.clock() ELSE c.strayed_at END,
            was_detached = EXISTS (SELECT FROM dropped d WHERE d.conference_id = c.conference_id AND d.is_detaching)
                           OR c.was_detached
                              AND NOT EXISTS (SELECT FROM put p WHERE p.meeting_id = c.meeting_id AND p.is_new)
    RETURNING conference_id, meeting_id
), owned AS (
    INSERT INTO syncer.meeting_owner (account_id, meeting_id, tenant_id)
    SELECT a.account_id, r.meeting_id, a.tenant_id FROM referred r, account a ORDER BY r.meeting_id
    ON CONFLICT DO NOTHING
), linked AS (
    INSERT INTO syncer.link AS l (tenant_id, calendar_id, event_id, conference_id, generation, event)
    SELECT $4, $5, p.event_id, r.conference_id, ($15::jsonb ->> 'generation')::bigint, p.event
    FROM put p JOIN referred r USING (meeting_id) ORDER BY p.event_id
    ON CONFLICT (tenant_id, calendar_id, event_id) DO UPDATE
        SET conference_id = excluded.conference_id, generation = excluded.generation, event = excluded.event,
            rung = CASE WHEN l.conference_id = excluded.conference_id THEN l.rung END,
            write_backs = CASE WHEN excluded.event_id IN (SELECT event_id FROM put WHERE is_users) THEN 0 ELSE l.write_backs END
), lost AS (
    UPDATE syncer.conference c
    SET wanted_version = c.wanted_version + 1, next_try_at = NULL,
        state = CASE WHEN EXISTS (SELECT FROM dropped d WHERE d.conference_id = c.conference_id AND d.is_detaching)
                     THEN 'detached' ELSE c.state END,
        was_detached = c.was_detached
            OR EXISTS (SELECT FROM dropped d WHERE d.conference_id = c.conference_id AND d.is_detaching),
        strayed_at = CASE WHEN EXISTS (SELECT FROM stray s WHERE s.conference_id = c.conference_id)
                          THEN syncer.clock() ELSE c.strayed_at END,
        -- Never pushed, so it has no driver yet: whoever asks why it goes, or lets it go, asks by calendar.
        driver_calendar_id = coalesce(c.driver_calendar_id, $5)
    FROM loss, account a
    WHERE (SELECT count(*) FROM locked) >= 0
      AND c.tenant_id = a.tenant_id AND c.account_id = a.account_id AND c.meeting_id = loss.meeting_id
      AND NOT EXISTS (SELECT FROM meeting m WHERE m.meeting_id = loss.meeting_id)
    RETURNING c.conference_id, c.meeting_id
), forgotten AS (
    DELETE FROM syncer.note n USING fence
    WHERE n.tenant_id = $4 AND n.calendar_id = $5 AND n.event_id = ANY ($16::text[])
      AND NOT EXISTS (SELECT FROM jsonb_to_recordset($13) AS x(event_id text) WHERE x.event_id = n.event_id)
), noted AS (
    INSERT INTO syncer.note (tenant_id, calendar_id, event_id, kind, etag, reason)
    SELECT $4, $5, x.event_id, x.kind, x.etag, x.reason
    FROM jsonb_to_recordset($13) AS x(event_id text, kind text, etag text, reason text), fence ORDER BY x.event_id
    ON CONFLICT (tenant_id, calendar_id, event_id) DO UPDATE
        SET kind = excluded.kind, etag = excluded.etag, reason = excluded.reason, seen_at = excluded.seen_at
), told AS (
    INSERT INTO syncer.history (tenant_id, kind, conference_id, calendar_id, event_id, detail)
    SELECT $4, h.kind, coalesce(r.conference_id, l.conference_id), $5, h.event_id, coalesce(h.detail, '{}')
    FROM jsonb_to_recordset($14) AS h(kind text, event_id text, meeting_id text, detail jsonb)
    CROSS JOIN fence
    LEFT JOIN referred r ON r.meeting_id = h.meeting_id
    LEFT JOIN lost l ON l.meeting_id = h.meeting_id
), moved AS (
    UPDATE syncer.calendar c
    SET sync_token = k.sync_token, page_token = k.page_token, generation = k.generation, is_full_read = k.is_full_read,
        read_from = k.read_from, pin = k.pin, time_zone = coalesce(k.time_zone, c.time_zone),
        state = CASE WHEN c.state = 'parked' THEN 'active' ELSE c.state END,
        failures = 0, reason = NULL, next_look_at = NULL, changed_at = syncer.clock()
    FROM fence, jsonb_to_record($15) AS k(sync_token text, page_token text, generation bigint, is_full_read boolean,
                                          read_from timestamptz, pin text, time_zone text)
    WHERE c.tenant_id = $4 AND c.calendar_id = $5
)
SELECT EXISTS (SELECT FROM fence) AS is_ours,
       ARRAY (SELECT r.conference_id FROM referred r JOIN meeting m USING (meeting_id) WHERE m.is_touched
              UNION SELECT conference_id FROM lost) AS touched;

-- name: restart
-- The cursor is worthless: what was read stays, and a full read under a new generation is due.
-- $1 project_id, $2 owner, $3 epoch, $4 tenant_id, $5 calendar_id. Rows: one if ours. Index: calendar_pkey.
WITH fence AS MATERIALIZED (
    SELECT project_id FROM syncer.lease WHERE project_id = $1 AND owner = $2 AND epoch = $3 FOR KEY SHARE
), told AS (
    INSERT INTO syncer.history (tenant_id, kind, calendar_id, detail)
    SELECT $4, 'read_anew', $5, jsonb_build_object('reason', $6::text) FROM fence
)
UPDATE syncer.calendar c SET sync_token = NULL, page_token = NULL, is_full_read = true, read_from = NULL
FROM fence WHERE c.tenant_id = $4 AND c.calendar_id = $5 RETURNING true;

-- name: failed
-- Writes down that a look or a pull failed.
-- $1 project_id, $2 owner, $3 epoch, $4 tenant_id, $5 calendar_id, $6 state text, $7 reason text, $8 failures int,
-- $9 next_look_at timestamptz. Rows: one if ours. Index: calendar_pkey.
WITH fence AS MATERIALIZED (
    SELECT project_id FROM syncer.lease WHERE project_id = $1 AND owner = $2 AND epoch = $3 FOR KEY SHARE
)
UPDATE syncer.calendar c
SET state = CASE WHEN c.state = 'paused' THEN c.state ELSE $6 END, reason = $7, failures = $8, next_look_at = $9
FROM fence WHERE c.tenant_id = $4 AND c.calendar_id = $5 RETURNING true;

-- name: recovered
-- A calendar that had failed was looked at again and nothing had changed.
-- $1 project_id, $2 owner, $3 epoch, $4 tenant_id, $5 calendar_id. Rows: one if ours. Index: calendar_pkey.
WITH fence AS MATERIALIZED (
    SELECT project_id FROM syncer.lease WHERE project_id = $1 AND owner = $2 AND epoch = $3 FOR KEY SHARE
)
UPDATE syncer.calendar c
SET state = CASE WHEN c.state = 'parked' THEN 'active' ELSE c.state END, reason = NULL, failures = 0, next_look_at = NULL
FROM fence WHERE c.tenant_id = $4 AND c.calendar_id = $5 RETURNING true;

-- name: save_tokens
-- Sync tokens that moved though nothing had changed; the old ones would have stayed valid.
-- $1 project_id, $2 owner, $3 epoch, $4 tenant ids bigint[], $5 calendar ids bigint[], $6 old tokens text[], $7 new tokens text[]. Rows: none. Index: calendar_pkey.
WITH fence AS MATERIALIZED (
    SELECT project_id FROM syncer.lease WHERE project_id = $1 AND owner = $2 AND epoch = $3 FOR KEY SHARE
)
UPDATE syncer.calendar c SET sync_token = m.sync_token
FROM fence, unnest($4::bigint[], $5::bigint[], $6::text[], $7::text[]) AS m(tenant_id, calendar_id, old_token, sync_token)
WHERE c.tenant_id = m.tenant_id AND c.calendar_id = m.calendar_id AND c.sync_token = m.old_token;
