-- Channels by which Google tells of calendars: asked for, open, to be stopped. All are the worker's, but `standing`.

-- name: due
-- Calendars whose channel is to be made or renewed, of each tenant the longest due first. A paused one has none.
-- $1 tenant ids bigint[], whose turn it is in this order, $2 at most so many, by which it ends: nobody sorts all.
-- Rows: tenant_id, calendar_id, failures. Index: watch_due, calendar_pkey.
WITH moment AS MATERIALIZED (
    SELECT syncer.clock() AS at
)
SELECT w.tenant_id, w.calendar_id, w.failures
FROM unnest($1::bigint[]) AS t(tenant_id) CROSS JOIN LATERAL (
    SELECT w.tenant_id, w.calendar_id, w.failures
    FROM syncer.watch w JOIN syncer.calendar c USING (tenant_id, calendar_id)
    WHERE w.tenant_id = t.tenant_id AND w.due_at <= (SELECT at FROM moment) AND c.state <> 'paused'
    ORDER BY w.due_at LIMIT $2
) AS w
LIMIT $2;

-- name: ask
-- A channel that is about to be asked for, of a calendar of a project whose lease is ours. Until it is known what came of
-- it, another one is not asked for before a while is over.
-- $1 project_id, $2 owner uuid, $3 epoch, $4 tenant_id, $5 calendar_id, $6 channel_id uuid, $7 secret_hash bytea,
-- $8 address, $9 credential, $10 subject or NULL, $11 seconds it may last, $12 seconds until another is asked for.
-- Rows: one where it is ours and the calendar is served; asked_at. Index: lease_pkey, calendar_pkey, watch_pkey.
WITH fence AS MATERIALIZED (
    SELECT project_id FROM syncer.lease WHERE project_id = $1 AND owner = $2 AND epoch = $3 FOR KEY SHARE
), put_off AS (
    UPDATE syncer.watch w SET due_at = syncer.clock() + make_interval(secs => $12)
    FROM fence JOIN syncer.calendar c ON (c.tenant_id, c.calendar_id) = ($4, $5) AND c.state <> 'paused'
    WHERE (w.tenant_id, w.calendar_id) = ($4, $5) RETURNING w.tenant_id, w.calendar_id
)
INSERT INTO syncer.channel (tenant_id, calendar_id, channel_id, secret_hash, address, credential, subject, expires_at)
SELECT tenant_id, calendar_id, $6, $7, $8, $9, $10, syncer.clock() + make_interval(secs => $11) FROM put_off
RETURNING asked_at;

-- name: open
-- What Google answered to a watch. The channel is open if it is still wanted; those asked for before it are stopped then.
-- Not fenced: it is so, whoever serves the project now.
-- $1 channel_id uuid, $2 resource_id, $3 expires_at, $4 when to renew it. Rows: one where it is open now.
-- Index: channel_pkey, channel_of_calendar, calendar_pkey, watch_pkey.
WITH opened AS (
    UPDATE syncer.channel c
    SET resource_id = $2, expires_at = $3, opened_at = syncer.clock(), state = CASE
        WHEN c.state = 'asked' AND EXISTS (
            SELECT FROM syncer.calendar k JOIN syncer.tenant t USING (tenant_id)
            WHERE (k.tenant_id, k.calendar_id) = (c.tenant_id, c.calendar_id) AND k.state <> 'paused'
              AND t.state = 'active')
        THEN 'open' ELSE 'stopping' END
    WHERE c.channel_id = $1 RETURNING c.tenant_id, c.calendar_id, c.asked_at, c.state
), older AS (
    UPDATE syncer.channel c SET state = 'stopping' FROM opened o
    WHERE o.state = 'open' AND (c.tenant_id, c.calendar_id) = (o.tenant_id, o.calendar_id)
      AND c.channel_id <> $1 AND c.asked_at <= o.asked_at AND c.state <> 'stopping'
)
UPDATE syncer.watch w SET due_at = $4, failures = 0, is_unwatchable = false, reason = NULL FROM opened o
WHERE o.state = 'open' AND (w.tenant_id, w.calendar_id) = (o.tenant_id, o.calendar_id)
RETURNING w.calendar_id;

-- name: fail
-- A watch that failed. A channel that was refused is none; one of which nobody knows is stopped when it is heard of.
-- $1 channel_id uuid, $2 whether there may be one, $3 when to ask again, $4 failures in a row, $5 whether Google tells
-- nothing of such calendars, $6 reason. Rows: none. Index: channel_pkey, watch_pkey.
WITH doubted AS (
    UPDATE syncer.channel SET state = 'stopping' WHERE channel_id = $1 AND $2 RETURNING tenant_id, calendar_id
), refused AS (
    DELETE FROM syncer.channel WHERE channel_id = $1 AND NOT $2 RETURNING tenant_id, calendar_id
)
UPDATE syncer.watch w SET due_at = $3, failures = $4, is_unwatchable = $5, reason = $6
FROM (TABLE doubted UNION ALL TABLE refused) AS c
WHERE (w.tenant_id, w.calendar_id) = (c.tenant_id, c.calendar_id);

-- name: to_stop
-- Channels of a project's tenants, whatever their state, that are to be stopped and can be.
-- $1 project_id, $2 at most so many. Rows: channel_id, resource_id, credential, subject, failures.
-- Index: tenant_of_project, channel_to_stop.
SELECT c.channel_id, c.resource_id, c.credential, c.subject, c.failures
FROM syncer.tenant t JOIN syncer.channel c USING (tenant_id)
WHERE t.project_id = $1 AND c.state = 'stopping' AND c.resource_id IS NOT NULL AND c.expires_at > syncer.clock()
  AND (c.next_try_at IS NULL OR c.next_try_at <= syncer.clock())
LIMIT $2;

-- name: stopped
-- A channel that is no more. $1 channel_id uuid. Rows: none. Index: channel_pkey.
DELETE FROM syncer.channel WHERE channel_id = $1;

-- name: not_stopped
-- A channel that could not be stopped. $1 channel_id uuid, $2 failures in a row, $3 when to try again. Rows: none.
-- Index: channel_pkey.
UPDATE syncer.channel SET failures = $2, next_try_at = $3 WHERE channel_id = $1;

-- name: settle
-- What nobody else finds, of a project whose lease is ours: channels that are over go; those of calendars that are not
-- served, and those that a newer one replaces, are stopped; a calendar whose channel leads to another address, or is over,
-- is due for a new one. Without an address all of them are stopped.
-- $1 project_id, $2 owner uuid, $3 epoch, $4 address text or NULL, $5 tenant_id, $6 calendar_id and $7 channel_id uuid to
-- go on behind, $8 at most so many. Rows: the last of so many, if there may be more; tenant_id, calendar_id, channel_id.
-- Index: tenant_of_project, channel_of_calendar, calendar_pkey, watch_pkey.
WITH fence AS MATERIALIZED (
    SELECT project_id FROM syncer.lease WHERE project_id = $1 AND owner = $2 AND epoch = $3 FOR KEY SHARE
), moment AS MATERIALIZED (
    SELECT syncer.clock() AS at
), page AS MATERIALIZED (
    SELECT c.channel_id, c.tenant_id, c.calendar_id, c.state, c.asked_at, c.address, c.expires_at,
           t.state = 'active' AS is_active
    FROM (SELECT t.tenant_id, t.state FROM fence JOIN syncer.tenant t USING (project_id) WHERE t.tenant_id >= $5
          ORDER BY t.tenant_id OFFSET 0) AS t
    CROSS JOIN LATERAL (
        SELECT c.* FROM syncer.channel c
        WHERE c.tenant_id = t.tenant_id AND (c.tenant_id > $5 OR (c.calendar_id, c.channel_id) > ($6, $7))
        ORDER BY c.calendar_id, c.channel_id LIMIT $8
    ) AS c
    LIMIT $8
), mine AS MATERIALIZED (
    SELECT c.channel_id, c.tenant_id, c.calendar_id, c.state, c.asked_at, c.address, c.expires_at <= m.at AS is_over,
           c.is_active AND EXISTS (
               SELECT FROM syncer.calendar k WHERE (k.tenant_id, k.calendar_id) = (c.tenant_id, c.calendar_id)
                 AND k.state <> 'paused') AS is_served,
           EXISTS (SELECT FROM syncer.channel n WHERE (n.tenant_id, n.calendar_id) = (c.tenant_id, c.calendar_id)
                     AND n.state = 'open' AND n.asked_at > c.asked_at AND n.expires_at > m.at) AS is_replaced
    FROM page c CROSS JOIN moment m
), over AS (
    DELETE FROM syncer.channel WHERE channel_id IN (SELECT channel_id FROM mine WHERE is_over)
), stopping AS (
    UPDATE syncer.channel SET state = 'stopping' WHERE state <> 'stopping' AND channel_id IN (
        SELECT channel_id FROM mine WHERE NOT is_over AND (NOT is_served OR is_replaced OR $4::text IS NULL))
), due AS (
    UPDATE syncer.watch w SET due_at = '-infinity', failures = 0 FROM mine
    WHERE (w.tenant_id, w.calendar_id) = (mine.tenant_id, mine.calendar_id) AND w.due_at > (SELECT at FROM moment)
      AND NOT w.is_unwatchable AND mine.state = 'open' AND NOT mine.is_replaced
      AND (mine.address IS DISTINCT FROM $4 OR mine.is_over)
)
SELECT tenant_id, calendar_id, channel_id FROM mine WHERE (SELECT count(*) FROM mine) = $8
ORDER BY tenant_id DESC, calendar_id DESC, channel_id DESC LIMIT 1;

-- name: replace
-- Calendars whose channel has gone silent: a new one is due, if the one there is was open then.
-- $1 tenant ids bigint[] and, place by place, $2 calendar ids bigint[], $3 since when they are silent timestamptz[].
-- Rows: tenant_id, calendar_id of those that are due now. Index: channel_of_calendar, watch_pkey.
UPDATE syncer.watch w SET due_at = '-infinity'
FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) AS s(tenant_id, calendar_id, silent_at)
WHERE (w.tenant_id, w.calendar_id) = (s.tenant_id, s.calendar_id) AND w.due_at > syncer.clock() AND EXISTS (
    SELECT FROM syncer.channel c WHERE (c.tenant_id, c.calendar_id) = (w.tenant_id, w.calendar_id)
      AND c.state = 'open' AND c.opened_at < s.silent_at)
RETURNING w.tenant_id, w.calendar_id;

-- name: standing
-- How one calendar is told of. $1 tenant_id, $2 calendar_id. Rows: at most one; state of its newest channel that is asked
-- for or open and not over, or NULL, opened_at, expires_at, due_at, failures, is_unwatchable, reason, told_at (of a mark
-- that waits for its look), has_any (there is a channel at all, anywhere). Index: watch_pkey, channel_of_calendar,
-- notified_pkey.
SELECT c.state, c.opened_at, c.expires_at, nullif(w.due_at, '-infinity') AS due_at, w.failures, w.is_unwatchable,
       w.reason, n.notified_at AS told_at, EXISTS (SELECT FROM syncer.channel) AS has_any
FROM syncer.watch w
LEFT JOIN syncer.notified n USING (tenant_id, calendar_id)
LEFT JOIN LATERAL (
    SELECT c.state, c.opened_at, c.expires_at FROM syncer.channel c
    WHERE (c.tenant_id, c.calendar_id) = (w.tenant_id, w.calendar_id) AND c.state <> 'stopping'
      AND c.expires_at > syncer.clock()
    ORDER BY c.state = 'open' DESC, c.asked_at DESC LIMIT 1) AS c ON true
WHERE w.tenant_id = $1 AND w.calendar_id = $2;
