-- name: tenants
-- The active tenants of a project, with their provider accounts.
-- $1 project_id bigint. Rows: one a tenant. Index: tenant_of_project.
SELECT t.tenant_id, t.slug, t.matchers, t.grace, t.read_window, t.ladder,
       t.guard_calendar_count, t.guard_calendar_percent, t.guard_tenant_count, t.guard_tenant_percent,
       t.per_minute, t.weight,
       a.account_id, a.provider, a.settings, a.credential AS provider_credential, a.limits
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
-- The links of some events of many calendars.
-- $1 jsonb [{tenant_id, calendar_id, event_ids}]. Rows: at most one an event; place is that of its calendar in $1, from 1.
-- Index: link_pkey, conference_pkey.
WITH asked AS MATERIALIZED (
    SELECT * FROM ROWS FROM (jsonb_to_recordset($1) AS (tenant_id bigint, calendar_id bigint, event_ids text[]))
        WITH ORDINALITY AS a(tenant_id, calendar_id, event_ids, place)
)
SELECT a.place, l.*, c.meeting_id
FROM asked a CROSS JOIN unnest(a.event_ids) AS e(event_id)
-- One by one, by the key: the statistics of a young table must not talk anybody into reading all of it.
CROSS JOIN LATERAL (
    SELECT l.tenant_id, l.calendar_id, l.event_id, l.conference_id, l.event, l.generation, l.rung, l.write_backs,
           l.write_backs_on
    FROM syncer.link l
    WHERE l.tenant_id = a.tenant_id AND l.calendar_id = a.calendar_id AND l.event_id = e.event_id LIMIT 1
) AS l
CROSS JOIN LATERAL (
    SELECT c.meeting_id FROM syncer.conference c
    WHERE c.tenant_id = l.tenant_id AND c.conference_id = l.conference_id LIMIT 1
) AS c;

-- name: children
-- The links of exceptions of some masters of many calendars.
-- $1 jsonb [{tenant_id, calendar_id, event_ids}], of masters. Rows: any number; place is that of their calendar in $1,
-- from 1. Index: link_of_master, conference_pkey.
WITH asked AS MATERIALIZED (
    SELECT * FROM ROWS FROM (jsonb_to_recordset($1) AS (tenant_id bigint, calendar_id bigint, event_ids text[]))
        WITH ORDINALITY AS a(tenant_id, calendar_id, event_ids, place)
)
SELECT a.place, l.tenant_id, l.calendar_id, l.event_id, l.conference_id, c.meeting_id, l.event, l.generation, l.rung,
       l.write_backs, l.write_backs_on
FROM asked a CROSS JOIN unnest(a.event_ids) AS e(event_id)
JOIN syncer.link l ON l.tenant_id = a.tenant_id AND l.calendar_id = a.calendar_id AND l.master_id = e.event_id
CROSS JOIN LATERAL (
    SELECT c.meeting_id FROM syncer.conference c
    WHERE c.tenant_id = l.tenant_id AND c.conference_id = l.conference_id LIMIT 1
) AS c;

-- name: excluded
-- Occurrences of some masters of many calendars that do not take place.
-- $1 jsonb [{tenant_id, calendar_id, event_ids}], of masters. Rows: any number; place is that of their calendar in $1,
-- from 1. Index: exclusion_pkey.
WITH asked AS MATERIALIZED (
    SELECT * FROM ROWS FROM (jsonb_to_recordset($1) AS (tenant_id bigint, calendar_id bigint, event_ids text[]))
        WITH ORDINALITY AS a(tenant_id, calendar_id, event_ids, place)
)
SELECT a.place, x.master_id, x.original_start
FROM asked a CROSS JOIN unnest(a.event_ids) AS e(event_id)
JOIN syncer.exclusion x ON x.tenant_id = a.tenant_id AND x.calendar_id = a.calendar_id AND x.master_id = e.event_id;

-- name: excluded_before
-- Occurrences of linked masters that do not take place, and that the newest full read has not seen.
-- $1 tenant_id, $2 calendar_id, $3 generation bigint. Rows: any number. Index: exclusion_pkey, link_pkey.
SELECT x.master_id, x.original_start, x.event_id, c.meeting_id
FROM syncer.exclusion x
JOIN syncer.link l ON l.tenant_id = x.tenant_id AND l.calendar_id = x.calendar_id AND l.event_id = x.master_id
CROSS JOIN LATERAL (
    SELECT c.meeting_id FROM syncer.conference c
    WHERE c.tenant_id = l.tenant_id AND c.conference_id = l.conference_id LIMIT 1
) AS c
WHERE x.tenant_id = $1 AND x.calendar_id = $2 AND x.generation < $3;

-- name: left_behind
-- Links that the newest full read has not seen.
-- $1 tenant_id, $2 calendar_id, $3 generation bigint, $4 event_id, only those after it, $5 at most so many.
-- Rows: by event_id. Index: link_pkey.
SELECT l.*, c.meeting_id FROM syncer.link l
CROSS JOIN LATERAL (
    SELECT c.meeting_id FROM syncer.conference c
    WHERE c.tenant_id = l.tenant_id AND c.conference_id = l.conference_id LIMIT 1
) AS c
WHERE l.tenant_id = $1 AND l.calendar_id = $2 AND l.generation < $3 AND l.event_id > $4
ORDER BY l.event_id LIMIT $5;

-- name: commit_pages
-- Writes down pages of many calendars, of each all or, when its project's lease is another's, nothing at all: links put
-- and dropped, notes, the conferences they touch, history and the cursor. A sync token goes in with the last page only.
-- No two pages are of one calendar, or name one meeting: each row below is of one page alone.
-- Rows are locked in one order, whoever writes them: leases, calendars, conferences, links, each by its key.
-- $1 jsonb [{project_id, owner, epoch, tenant_id, calendar_id, sync_token, page_token, generation, is_full_read, read_from,
--            pin, time_zone, sees_details, ends_full_read, event_ids}], a page each;
-- $2 links put jsonb [{tenant_id, calendar_id, event_id, meeting_id, event, is_new, is_news, is_users, detail}];
-- $3 links dropped jsonb [{tenant_id, calendar_id, event_id, meeting_id, reason, is_detaching, detail}];
-- $4 meetings that lose a link to another meeting jsonb [{tenant_id, calendar_id, meeting_id}];
-- $5 notes jsonb [{tenant_id, calendar_id, event_id, kind, etag, reason}];
-- $6 occurrences that do not take place jsonb [{tenant_id, calendar_id, master_id, original_start, event_id, meeting_id}],
--    meeting_id of the master where it is news, else null; no occurrence of a calendar twice;
-- $7 those that do again jsonb [{tenant_id, calendar_id, master_id, original_start}], original_start null for all of it.
-- Rows: one; ours bigint[] (places in $1, from 1, of the pages written down), places bigint[] and beside it
-- conference_ids bigint[] (which page touched which). Index: primary keys; conference_of_account.
WITH moment AS MATERIALIZED (
    SELECT syncer.clock() AS at
), asked AS MATERIALIZED (
    SELECT * FROM ROWS FROM (jsonb_to_recordset($1) AS (
            project_id bigint, owner uuid, epoch bigint, tenant_id bigint, calendar_id bigint, sync_token text,
            page_token text, generation bigint, is_full_read boolean, read_from timestamptz, pin text, time_zone text,
            sees_details boolean, ends_full_read boolean, event_ids text[]))
        WITH ORDINALITY AS a(project_id, owner, epoch, tenant_id, calendar_id, sync_token, page_token, generation,
                             is_full_read, read_from, pin, time_zone, sees_details, ends_full_read, event_ids, place)
), fence AS MATERIALIZED (
    SELECT l.project_id, l.owner, l.epoch FROM syncer.lease l
    WHERE (l.project_id, l.owner, l.epoch) IN (SELECT a.project_id, a.owner, a.epoch FROM asked a)
    ORDER BY l.project_id FOR KEY SHARE OF l
), page AS MATERIALIZED (
    SELECT a.*, t.account_id FROM asked a JOIN fence f USING (project_id, owner, epoch) JOIN syncer.tenant t USING (tenant_id)
), turn AS MATERIALIZED (
    SELECT c.calendar_id FROM page p JOIN syncer.calendar c USING (tenant_id, calendar_id)
    ORDER BY c.tenant_id, c.calendar_id FOR NO KEY UPDATE OF c
), put AS MATERIALIZED (
    SELECT u.*, p.account_id, p.generation, p.place
    FROM jsonb_to_recordset($2) AS u(tenant_id bigint, calendar_id bigint, event_id text, meeting_id text, event jsonb,
                                     is_new boolean, is_news boolean, is_users boolean, detail jsonb)
    JOIN page p USING (tenant_id, calendar_id)
), going AS MATERIALIZED (
    SELECT u.*, p.account_id, p.place
    FROM jsonb_to_recordset($3) AS u(tenant_id bigint, calendar_id bigint, event_id text, meeting_id text, reason text,
                                     is_detaching boolean, detail jsonb)
    JOIN page p USING (tenant_id, calendar_id)
), loss AS MATERIALIZED (
    SELECT p.tenant_id, p.account_id, p.calendar_id, u.meeting_id, p.place
    FROM jsonb_to_recordset($4) AS u(tenant_id bigint, calendar_id bigint, meeting_id text)
    JOIN page p USING (tenant_id, calendar_id)
    UNION
    SELECT g.tenant_id, g.account_id, g.calendar_id, g.meeting_id, g.place FROM going g
), note AS MATERIALIZED (
    SELECT u.*, p.place
    FROM jsonb_to_recordset($5) AS u(tenant_id bigint, calendar_id bigint, event_id text, kind text, etag text, reason text)
    JOIN page p USING (tenant_id, calendar_id)
), absent AS MATERIALIZED (
    SELECT u.*, p.generation, p.place
    FROM jsonb_to_recordset($6) AS u(tenant_id bigint, calendar_id bigint, master_id text, original_start text,
                                     event_id text, meeting_id text)
    JOIN page p USING (tenant_id, calendar_id)
), back AS MATERIALIZED (
    SELECT u.* FROM jsonb_to_recordset($7) AS u(tenant_id bigint, calendar_id bigint, master_id text, original_start text)
    JOIN page p USING (tenant_id, calendar_id)
), meeting AS MATERIALIZED (
    SELECT p.tenant_id, p.account_id, p.meeting_id, p.place, bool_or(p.is_new) AS is_relinked,
           bool_or(p.is_news OR l.meeting_id IS NOT NULL) AS is_touched
    FROM put p LEFT JOIN loss l USING (tenant_id, meeting_id)
    GROUP BY p.tenant_id, p.account_id, p.meeting_id, p.place
), locked AS MATERIALIZED (
    -- All at once and in one order: calendars between which events move in both directions must not deadlock.
    SELECT c.tenant_id, c.account_id, c.meeting_id, c.conference_id, c.driver_calendar_id, c.driver_event_id
    FROM (SELECT m.tenant_id, m.account_id, m.meeting_id FROM meeting m
          UNION SELECT l.tenant_id, l.account_id, l.meeting_id FROM loss l) AS named
    -- Not by an equal tenant, or a plan made while the table was young would go over all of a tenant's conferences.
    JOIN syncer.conference c ON c.account_id = named.account_id AND c.meeting_id = named.meeting_id
                            AND c.tenant_id IS NOT DISTINCT FROM named.tenant_id
    WHERE (SELECT count(*) FROM turn) >= 0
    ORDER BY c.tenant_id, c.conference_id FOR NO KEY UPDATE OF c
), held AS MATERIALIZED (
    SELECT l.tenant_id, l.calendar_id, l.event_id, l.conference_id
    FROM (SELECT p.tenant_id, p.calendar_id, p.event_id FROM put p
          UNION SELECT g.tenant_id, g.calendar_id, g.event_id FROM going g) AS named
    JOIN syncer.link l USING (tenant_id, calendar_id, event_id)
    WHERE (SELECT count(*) FROM locked) >= 0
    ORDER BY l.tenant_id, l.calendar_id, l.event_id FOR UPDATE OF l
), left_by AS MATERIALIZED (
    -- Conferences whose links go. is_stray: one was not the driver's: a last look at the driver's event says nothing of
    -- where it is.
    SELECT k.conference_id, bool_or(g.is_detaching) AS is_detaching,
           bool_or((h.event_id, h.calendar_id) IS DISTINCT FROM (k.driver_event_id, k.driver_calendar_id)) AS is_stray
    FROM going g JOIN held h USING (tenant_id, calendar_id, event_id) JOIN locked k USING (tenant_id, conference_id)
    GROUP BY k.conference_id
), losing AS MATERIALIZED (
    SELECT l.tenant_id, k.conference_id, l.calendar_id, l.place, coalesce(b.is_detaching, false) AS is_detaching,
           coalesce(b.is_stray, false) AS is_stray
    FROM loss l JOIN locked k USING (tenant_id, account_id, meeting_id) LEFT JOIN left_by b USING (conference_id)
    WHERE NOT EXISTS (SELECT FROM meeting m WHERE m.tenant_id = l.tenant_id AND m.meeting_id = l.meeting_id)
), dropped AS (
    DELETE FROM syncer.link l USING going g
    WHERE l.tenant_id = g.tenant_id AND l.calendar_id = g.calendar_id AND l.event_id = g.event_id
      AND (SELECT count(*) FROM left_by) >= 0
    RETURNING l.event_id
), referred AS (
    INSERT INTO syncer.conference AS c (tenant_id, account_id, meeting_id, wanted_version, created_at)
    SELECT m.tenant_id, m.account_id, m.meeting_id, m.is_touched::int, moment.at FROM meeting m, moment
    WHERE (SELECT count(*) FROM held) >= 0 ORDER BY m.tenant_id, m.account_id, m.meeting_id
    ON CONFLICT (tenant_id, account_id, meeting_id) DO UPDATE
        SET wanted_version = c.wanted_version + excluded.wanted_version,
            next_try_at = CASE WHEN excluded.wanted_version > 0 THEN NULL ELSE c.next_try_at END,
            state = CASE WHEN c.state = 'detached' THEN 'live' ELSE c.state END,
            strayed_at = CASE WHEN c.conference_id IN (SELECT b.conference_id FROM left_by b WHERE b.is_stray)
                              THEN (SELECT at FROM moment) ELSE c.strayed_at END,
            was_detached = c.conference_id IN (SELECT b.conference_id FROM left_by b WHERE b.is_detaching)
                           OR c.was_detached AND (c.tenant_id, c.meeting_id)
                                  NOT IN (SELECT m.tenant_id, m.meeting_id FROM meeting m WHERE m.is_relinked)
    RETURNING tenant_id, account_id, meeting_id, conference_id
), touched AS MATERIALIZED (
    SELECT m.place, r.conference_id, m.is_touched
    FROM meeting m FULL JOIN referred r USING (tenant_id, account_id, meeting_id)
), owned AS (
    INSERT INTO syncer.meeting_owner (account_id, meeting_id, tenant_id)
    SELECT r.account_id, r.meeting_id, r.tenant_id FROM referred r ORDER BY r.account_id, r.meeting_id
    ON CONFLICT DO NOTHING
), linked AS (
    INSERT INTO syncer.link AS l (tenant_id, calendar_id, event_id, conference_id, generation, event, master_id)
    SELECT p.tenant_id, p.calendar_id, p.event_id, r.conference_id, p.generation, p.event,
           p.event ->> 'recurring_event_id'
    -- Each has its counterpart. Full, so that they are hashed: an inner join would go over all of one for each of the
    -- other, for of what an insert gives back a plan expects one row.
    FROM put p FULL JOIN referred r USING (tenant_id, account_id, meeting_id)
    WHERE (SELECT count(*) FROM dropped) >= 0 ORDER BY p.tenant_id, p.calendar_id, p.event_id
    ON CONFLICT (tenant_id, calendar_id, event_id) DO UPDATE
        SET conference_id = excluded.conference_id, generation = excluded.generation, event = excluded.event,
            master_id = excluded.master_id,
            rung = CASE WHEN l.conference_id = excluded.conference_id THEN l.rung END,
            write_backs = CASE WHEN (excluded.tenant_id, excluded.calendar_id, excluded.event_id)
                                    IN (SELECT p.tenant_id, p.calendar_id, p.event_id FROM put p WHERE p.is_users)
                               THEN 0 ELSE l.write_backs END
), lost AS (
    UPDATE syncer.conference c
    SET wanted_version = c.wanted_version + 1, next_try_at = NULL,
        state = CASE WHEN x.is_detaching THEN 'detached' ELSE c.state END,
        was_detached = c.was_detached OR x.is_detaching,
        strayed_at = CASE WHEN x.is_stray THEN x.at ELSE c.strayed_at END,
        -- Never pushed, so it has no driver yet: whoever asks why it goes, or lets it go, asks by calendar.
        driver_calendar_id = coalesce(c.driver_calendar_id, x.calendar_id)
    FROM (SELECT * FROM losing, moment) AS x WHERE c.tenant_id = x.tenant_id AND c.conference_id = x.conference_id
    RETURNING c.tenant_id, c.meeting_id, c.conference_id, x.place
), unmet AS (
    -- Provisional links end with the first event of theirs that goes, read before or not.
    DELETE FROM syncer.registration r USING losing x
    WHERE r.tenant_id = x.tenant_id AND r.conference_id = x.conference_id
    RETURNING r.tenant_id, r.conference_id, r.calendar_id, r.event_id
), told_unmet AS (
    INSERT INTO syncer.history (tenant_id, at, kind, conference_id, calendar_id, event_id, detail)
    SELECT u.tenant_id, moment.at, 'unlinked', u.conference_id, u.calendar_id, u.event_id,
           jsonb_build_object('reason', 'the event was deleted before it was read')
    FROM unmet u CROSS JOIN moment
    WHERE NOT EXISTS (SELECT FROM syncer.link l WHERE l.tenant_id = u.tenant_id AND l.conference_id = u.conference_id)
), seen AS MATERIALIZED (
    SELECT p.tenant_id, p.calendar_id, e.event_id FROM page p CROSS JOIN unnest(p.event_ids) AS e(event_id)
), forgotten AS (
    DELETE FROM syncer.note n
    USING seen
    WHERE n.tenant_id = seen.tenant_id AND n.calendar_id = seen.calendar_id AND n.event_id = seen.event_id
      AND (n.tenant_id, n.calendar_id, n.event_id) NOT IN (SELECT x.tenant_id, x.calendar_id, x.event_id FROM note x)
), noted AS (
    INSERT INTO syncer.note (tenant_id, calendar_id, event_id, kind, etag, reason, seen_at)
    SELECT x.tenant_id, x.calendar_id, x.event_id, x.kind, x.etag, x.reason, moment.at
    FROM note x, moment ORDER BY x.tenant_id, x.calendar_id, x.event_id
    ON CONFLICT (tenant_id, calendar_id, event_id) DO UPDATE
        SET kind = excluded.kind, etag = excluded.etag, reason = excluded.reason, seen_at = excluded.seen_at
), excluded AS (
    INSERT INTO syncer.exclusion AS x (tenant_id, calendar_id, master_id, original_start, event_id, generation)
    SELECT a.tenant_id, a.calendar_id, a.master_id, a.original_start, a.event_id, a.generation
    FROM absent a ORDER BY a.tenant_id, a.calendar_id, a.master_id, a.original_start
    ON CONFLICT (tenant_id, calendar_id, master_id, original_start) DO UPDATE
        SET event_id = excluded.event_id, generation = excluded.generation
), included AS (
    DELETE FROM syncer.exclusion x USING back b
    WHERE x.tenant_id = b.tenant_id AND x.calendar_id = b.calendar_id AND x.master_id = b.master_id
      AND (b.original_start IS NULL OR x.original_start = b.original_start)
), outdated AS (
    -- Of series without a link, what a full read has not seen: should one get a link, all of it is read.
    DELETE FROM syncer.exclusion x USING page p
    WHERE p.ends_full_read AND x.tenant_id = p.tenant_id AND x.calendar_id = p.calendar_id
      AND x.generation < p.generation
      AND NOT EXISTS (SELECT FROM syncer.link l WHERE l.tenant_id = x.tenant_id AND l.calendar_id = x.calendar_id
                                                  AND l.event_id = x.master_id)
      AND NOT EXISTS (SELECT FROM absent a WHERE a.tenant_id = x.tenant_id AND a.calendar_id = x.calendar_id
                                             AND a.master_id = x.master_id AND a.original_start = x.original_start)
), told AS (
    INSERT INTO syncer.history (tenant_id, at, kind, conference_id, calendar_id, event_id, detail)
    SELECT h.tenant_id, moment.at, h.kind, coalesce(r.conference_id, l.conference_id), h.calendar_id, h.event_id, h.detail
    FROM (SELECT p.place, 1 AS part, p.tenant_id, p.calendar_id, p.event_id, p.meeting_id,
                 CASE WHEN p.is_new THEN 'linked' ELSE 'changed' END AS kind, p.detail
          FROM put p WHERE p.is_users
          UNION ALL
          SELECT g.place, 2, g.tenant_id, g.calendar_id, g.event_id, g.meeting_id,
                 CASE WHEN g.is_detaching THEN 'detached' ELSE 'unlinked' END,
                 jsonb_build_object('reason', g.reason) || g.detail
          FROM going g
          UNION ALL
          SELECT x.place, 3, x.tenant_id, x.calendar_id, x.event_id, NULL, x.kind, jsonb_build_object('reason', x.reason)
          FROM note x WHERE x.kind = 'set_aside'
          UNION ALL
          SELECT a.place, 4, a.tenant_id, a.calendar_id, a.event_id, a.meeting_id, 'excluded',
                 jsonb_build_object('occurrence', a.original_start)
          FROM absent a WHERE a.meeting_id IS NOT NULL) AS h
    CROSS JOIN moment
    LEFT JOIN referred r ON r.tenant_id = h.tenant_id AND r.meeting_id = h.meeting_id
    LEFT JOIN lost l ON l.tenant_id = h.tenant_id AND l.meeting_id = h.meeting_id
    ORDER BY h.place, h.part, h.event_id
), moved AS (
    -- Where somebody has asked meanwhile for a read from the start, the cursor stays forgotten: see the row's trigger.
    UPDATE syncer.calendar c
    SET sync_token = p.sync_token, page_token = p.page_token, generation = p.generation, is_full_read = p.is_full_read,
        read_from = p.read_from, pin = p.pin, time_zone = coalesce(p.time_zone, c.time_zone),
        sees_details = coalesce(p.sees_details, c.sees_details),
        state = CASE WHEN c.state = 'parked' THEN 'active' ELSE c.state END,
        failures = 0, reason = NULL, next_look_at = NULL, changed_at = p.at
    FROM (SELECT * FROM page, moment) AS p WHERE c.tenant_id = p.tenant_id AND c.calendar_id = p.calendar_id
)
SELECT ARRAY (SELECT a.place FROM asked a JOIN fence f USING (project_id, owner, epoch)) AS ours,
       array_agg(t.place) AS places, array_agg(t.conference_id) AS conference_ids
FROM (SELECT m.place, m.conference_id FROM touched m WHERE m.is_touched
      UNION ALL SELECT l.place, l.conference_id FROM lost l) AS t;

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
-- Writes down that looks or pulls of many calendars failed. No calendar is named twice.
-- $1 jsonb [{project_id, owner, epoch, tenant_id, calendar_id, state, reason, failures, next_look_at}].
-- Rows: place bigint, in $1 and from 1, of each that was ours. Index: calendar_pkey.
WITH asked AS MATERIALIZED (
    SELECT * FROM ROWS FROM (jsonb_to_recordset($1) AS (
            project_id bigint, owner uuid, epoch bigint, tenant_id bigint, calendar_id bigint, state text, reason text,
            failures integer, next_look_at timestamptz))
        WITH ORDINALITY AS a(project_id, owner, epoch, tenant_id, calendar_id, state, reason, failures, next_look_at, place)
), fence AS MATERIALIZED (
    SELECT l.project_id, l.owner, l.epoch FROM syncer.lease l
    WHERE (l.project_id, l.owner, l.epoch) IN (SELECT a.project_id, a.owner, a.epoch FROM asked a)
    ORDER BY l.project_id FOR KEY SHARE OF l
), turn AS MATERIALIZED (
    SELECT a.* FROM asked a JOIN fence f USING (project_id, owner, epoch) JOIN syncer.calendar c USING (tenant_id, calendar_id)
    ORDER BY c.tenant_id, c.calendar_id FOR NO KEY UPDATE OF c
)
UPDATE syncer.calendar c
SET state = CASE WHEN c.state = 'paused' THEN c.state ELSE t.state END, reason = t.reason, failures = t.failures,
    next_look_at = t.next_look_at
FROM turn t WHERE c.tenant_id = t.tenant_id AND c.calendar_id = t.calendar_id RETURNING t.place;

-- name: recovered
-- Calendars that had failed were looked at again and nothing had changed. No calendar is named twice.
-- $1 jsonb [{project_id, owner, epoch, tenant_id, calendar_id}].
-- Rows: place bigint, in $1 and from 1, of each that was ours. Index: calendar_pkey.
WITH asked AS MATERIALIZED (
    SELECT * FROM ROWS FROM (jsonb_to_recordset($1) AS (
            project_id bigint, owner uuid, epoch bigint, tenant_id bigint, calendar_id bigint))
        WITH ORDINALITY AS a(project_id, owner, epoch, tenant_id, calendar_id, place)
), fence AS MATERIALIZED (
    SELECT l.project_id, l.owner, l.epoch FROM syncer.lease l
    WHERE (l.project_id, l.owner, l.epoch) IN (SELECT a.project_id, a.owner, a.epoch FROM asked a)
    ORDER BY l.project_id FOR KEY SHARE OF l
), turn AS MATERIALIZED (
    SELECT a.* FROM asked a JOIN fence f USING (project_id, owner, epoch) JOIN syncer.calendar c USING (tenant_id, calendar_id)
    ORDER BY c.tenant_id, c.calendar_id FOR NO KEY UPDATE OF c
)
UPDATE syncer.calendar c
SET state = CASE WHEN c.state = 'parked' THEN 'active' ELSE c.state END, reason = NULL, failures = 0, next_look_at = NULL
FROM turn t WHERE c.tenant_id = t.tenant_id AND c.calendar_id = t.calendar_id RETURNING t.place;
