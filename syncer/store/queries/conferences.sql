-- name: several
-- Conferences with their owners and links, all of one moment: versions and the links that they stand for.
-- $1 jsonb [[tenant_id, conference_id]], $2 at most so many links of exceptions each, and $3 so many `excluded` of a
-- master, the latest of both. Rows: at most one each; place, in $1 and from 1; links text, a JSON array: with the
-- original starts, as `excluded`, of a master's occurrences that do not take place in its meeting. Text, for to make
-- jsonb of an event that is jsonb already costs more than to find it.
-- Index: conference_pkey, meeting_owner_pkey, link_to_conference, exclusion_pkey, link_of_master.
WITH asked AS MATERIALIZED (
    SELECT (a.pair ->> 0)::bigint AS tenant_id, (a.pair ->> 1)::bigint AS conference_id, a.place
    FROM jsonb_array_elements($1) WITH ORDINALITY AS a(pair, place)
)
SELECT a.place, c.tenant_id, c.conference_id, c.account_id, c.meeting_id, c.state, c.wanted_version, c.applied_version,
       c.applied, c.meeting, c.is_in_doubt, c.driver_calendar_id, c.driver_event_id, c.unlinked_at, c.strayed_at,
       c.was_detached, c.reason, c.delete_after, c.was_released, c.failures, c.next_try_at, c.read_back_at,
       o.tenant_id IS NOT DISTINCT FROM c.tenant_id AS is_owner,
       EXISTS (SELECT FROM syncer.registration r
               WHERE r.tenant_id = c.tenant_id AND r.conference_id = c.conference_id) AS is_expected,
       (SELECT coalesce(json_agg(json_build_object(
            'calendar_id', l.calendar_id, 'event_id', l.event_id, 'generation', l.generation, 'event', l.event,
            'rung', l.rung, 'write_backs', l.write_backs, 'write_backs_on', l.write_backs_on,
            'excluded', CASE WHEN l.event -> 'recurrence' <> '[]' THEN (
                SELECT coalesce(json_agg(gone.original_start), '[]')
                FROM ((SELECT x.original_start FROM syncer.exclusion x
                       WHERE x.tenant_id = l.tenant_id AND x.calendar_id = l.calendar_id AND x.master_id = l.event_id
                       UNION
                       SELECT e.event ->> 'original_start' FROM syncer.link e
                       WHERE e.tenant_id = l.tenant_id AND e.calendar_id = l.calendar_id AND e.master_id = l.event_id
                         AND e.conference_id <> l.conference_id AND e.event ->> 'original_start' IS NOT NULL)
                      ORDER BY 1 DESC LIMIT $3) AS gone
            ) ELSE '[]' END)), '[]')::text
        -- Not by an equal tenant, or a plan made while the table was young would go over all of a tenant's links.
        FROM (SELECT * FROM syncer.link
              WHERE tenant_id IS NOT DISTINCT FROM c.tenant_id AND conference_id = c.conference_id
                AND master_id IS NULL
              UNION ALL
              (SELECT * FROM syncer.link
               WHERE tenant_id IS NOT DISTINCT FROM c.tenant_id AND conference_id = c.conference_id
                 AND master_id IS NOT NULL
               ORDER BY event ->> 'original_start' DESC NULLS LAST LIMIT $2)) AS l) AS links
FROM asked a
-- One by one, by the key: the statistics of a young table must not talk anybody into reading all of it.
CROSS JOIN LATERAL (
    SELECT * FROM syncer.conference c
    WHERE c.tenant_id = a.tenant_id AND c.conference_id = a.conference_id LIMIT 1
) AS c
LEFT JOIN syncer.meeting_owner o ON o.account_id = c.account_id AND o.meeting_id = c.meeting_id;

-- name: waiting
-- Conferences of some tenants whose push is due: touched and not applied, in doubt, or to be deleted.
-- $1 tenant ids bigint[], $2 at most so many in all, $3 and of one provider account: one that hangs holds up only its own.
-- Rows: tenant_id, conference_id, longest waiting first; of an account's tenants in turns. Index: conference_to_push.
SELECT tenant_id, conference_id FROM (
    SELECT tenant_id, conference_id, turn,
           row_number() OVER (PARTITION BY account_id ORDER BY turn, next_try_at NULLS FIRST, conference_id) AS place
    FROM (
    SELECT c.tenant_id, c.conference_id, c.account_id, c.next_try_at,
           row_number() OVER (PARTITION BY c.account_id, c.tenant_id
                              ORDER BY c.next_try_at NULLS FIRST, c.conference_id) AS turn
    FROM syncer.conference c
    WHERE c.tenant_id = ANY ($1::bigint[])
      AND (c.wanted_version > c.applied_version OR c.is_in_doubt OR c.state IN ('leaving'))
      AND (c.next_try_at IS NULL OR c.next_try_at <= syncer.clock())
      -- Never on half a calendar: one that is read page by page right now is pushed after its last page.
      -- One that is paused or parked in the middle of that holds up nothing.
      AND NOT EXISTS (SELECT FROM syncer.link l JOIN syncer.calendar k USING (tenant_id, calendar_id)
                      WHERE l.tenant_id = c.tenant_id AND l.conference_id = c.conference_id
                        AND k.page_token IS NOT NULL AND k.state = 'active')
      AND NOT (c.state = 'leaving' AND c.wanted_version = c.applied_version AND NOT c.is_in_doubt
               AND c.delete_after > syncer.clock())
    ) AS waiting
) AS due
WHERE place <= $3 ORDER BY turn LIMIT $2;

-- name: unread
-- Live conferences of some tenants that were not read back for a while.
-- $1 tenant ids bigint[], $2 read back before timestamptz, $3 at most so many in all, $4 and of one provider account.
-- Rows: tenant_id, conference_id, longest ago first. Index: conference_pkey.
SELECT tenant_id, conference_id FROM (
    -- One that could not be read waits behind those that were not tried since.
    SELECT c.tenant_id, c.conference_id, greatest(c.read_back_at, c.next_try_at) AS tried_at,
           row_number() OVER (PARTITION BY c.account_id ORDER BY greatest(c.read_back_at, c.next_try_at)) AS place
    FROM syncer.conference c
    WHERE c.tenant_id = ANY ($1::bigint[]) AND c.state = 'live' AND c.wanted_version = c.applied_version
      AND NOT c.is_in_doubt AND c.read_back_at < $2 AND (c.next_try_at IS NULL OR c.next_try_at <= syncer.clock())
) AS due
WHERE place <= $4 ORDER BY tried_at LIMIT $3;

-- name: record
-- Writes down what came of pushes, of each unless its lease is another's; applied_version never goes back. No conference
-- is named twice.
-- $1 jsonb [{project_id, owner, epoch, tenant_id, conference_id, the fields of a conference as below, wanted_version (at
-- least), raised_by (then raised by), told [{kind, calendar_id, event_id, detail}]}].
-- Rows: place bigint, in $1 and from 1, of each that was ours. Index: conference_pkey.
WITH asked AS MATERIALIZED (
    SELECT * FROM ROWS FROM (jsonb_to_recordset($1) AS (
            project_id bigint, owner uuid, epoch bigint, tenant_id bigint, conference_id bigint, state text, reason text,
            applied_version bigint, applied jsonb, meeting jsonb, is_in_doubt boolean, driver_calendar_id bigint,
            driver_event_id text, unlinked_at timestamptz, delete_after timestamptz, was_released boolean,
            failures integer, next_try_at timestamptz, read_back_at timestamptz, wanted_version bigint, raised_by integer,
            told jsonb))
        WITH ORDINALITY AS a(project_id, owner, epoch, tenant_id, conference_id, state, reason, applied_version, applied,
                             meeting, is_in_doubt, driver_calendar_id, driver_event_id, unlinked_at, delete_after,
                             was_released, failures, next_try_at, read_back_at, wanted_version, raised_by, told, place)
), fence AS MATERIALIZED (
    SELECT l.project_id, l.owner, l.epoch FROM syncer.lease l
    WHERE (l.project_id, l.owner, l.epoch) IN (SELECT a.project_id, a.owner, a.epoch FROM asked a)
    ORDER BY l.project_id FOR KEY SHARE OF l
), moment AS MATERIALIZED (
    SELECT syncer.clock() AS at
), turn AS MATERIALIZED (
    -- In the order in which pages lock them.
    SELECT a.*, moment.at FROM asked a CROSS JOIN moment
    JOIN fence f USING (project_id, owner, epoch) JOIN syncer.conference c USING (tenant_id, conference_id)
    ORDER BY c.tenant_id, c.conference_id FOR NO KEY UPDATE OF c
), told AS (
    INSERT INTO syncer.history (tenant_id, at, kind, conference_id, calendar_id, event_id, detail)
    SELECT t.tenant_id, t.at, h.kind, t.conference_id, h.calendar_id, h.event_id, coalesce(h.detail, '{}')
    FROM turn t
    CROSS JOIN jsonb_to_recordset(t.told) AS h(kind text, calendar_id bigint, event_id text, detail jsonb)
)
UPDATE syncer.conference c
-- A page that detached the conference, or a person who released it, while this push was under way has the last word.
SET state = CASE WHEN c.wanted_version > k.wanted_version AND (c.state = 'detached' OR c.was_released)
                 THEN c.state ELSE k.state END,
    reason = k.reason, applied_version = greatest(c.applied_version, k.applied_version),
    wanted_version = greatest(c.wanted_version, k.wanted_version) + k.raised_by, applied = k.applied, meeting = k.meeting,
    is_in_doubt = k.is_in_doubt, driver_calendar_id = k.driver_calendar_id, driver_event_id = k.driver_event_id,
    unlinked_at = k.unlinked_at,
    delete_after = CASE WHEN c.wanted_version > k.wanted_version AND c.was_released THEN c.delete_after
                        ELSE k.delete_after END,
    was_released = CASE WHEN c.wanted_version > k.wanted_version AND c.was_released THEN true ELSE k.was_released END,
    failures = k.failures, next_try_at = k.next_try_at, read_back_at = k.read_back_at,
    deleted_at = CASE WHEN k.state = 'deleted' THEN coalesce(c.deleted_at, k.at) END
FROM turn k WHERE c.tenant_id = k.tenant_id AND c.conference_id = k.conference_id
RETURNING k.place;

-- name: hand_over
-- A meeting that its owner has no event for any more goes to another tenant that has one, who is asked to push it.
-- $1 project_id, $2 owner, $3 epoch; $4 tenant_id of the owner so far, $5 account_id, $6 meeting_id text.
-- Rows: tenant_id of the new owner, none if there is none. Index: conference_of_account, link_to_conference.
WITH fence AS MATERIALIZED (
    SELECT project_id FROM syncer.lease WHERE project_id = $1 AND owner = $2 AND epoch = $3 FOR KEY SHARE
), heir AS MATERIALIZED (
    SELECT c.tenant_id, c.conference_id FROM syncer.conference c, fence
    WHERE c.account_id = $5 AND c.meeting_id = $6 AND c.tenant_id <> $4
      AND EXISTS (SELECT FROM syncer.link l WHERE l.tenant_id = c.tenant_id AND l.conference_id = c.conference_id)
    ORDER BY c.tenant_id LIMIT 1
), asked AS (
    -- By version too: a push of the heir's that is under way would erase a mark alone.
    UPDATE syncer.conference c SET is_in_doubt = true, wanted_version = c.wanted_version + 1, next_try_at = NULL
    FROM heir WHERE c.tenant_id = heir.tenant_id AND c.conference_id = heir.conference_id
    RETURNING c.tenant_id
)
-- After the conference: a page locks it before it asks for the owner.
UPDATE syncer.meeting_owner o SET tenant_id = asked.tenant_id
FROM asked WHERE o.account_id = $5 AND o.meeting_id = $6 AND o.tenant_id = $4
RETURNING o.tenant_id;

-- name: doubt
-- An outside write whose outcome is unknown, or whose record was refused. Not fenced: it can only ask for another push.
-- $1 tenant_id, $2 conference_id. Rows: none. Index: conference_pkey.
UPDATE syncer.conference SET is_in_doubt = true WHERE tenant_id = $1 AND conference_id = $2 AND state <> 'deleted';

-- name: removals
-- How many meetings wait for deletion, are held or went within the hour, against how many there are.
-- $1 tenant_id, $2 calendar_id. Rows: one. Index: conference_pkey.
WITH counted AS (
    SELECT driver_calendar_id = $2 AS is_of_calendar,
           state = 'live' AS is_live,
           state IN ('leaving', 'held') AND NOT was_released
               OR state = 'deleted' AND NOT was_released AND deleted_at > syncer.clock() - interval '1 hour' AS is_leaving
    FROM syncer.conference WHERE tenant_id = $1
)
SELECT count(*) FILTER (WHERE is_leaving AND is_of_calendar) AS calendar_leaving,
       count(*) FILTER (WHERE (is_leaving OR is_live) AND is_of_calendar) AS calendar_total,
       count(*) FILTER (WHERE is_leaving) AS tenant_leaving,
       count(*) FILTER (WHERE is_leaving OR is_live) AS tenant_total
FROM counted;

-- name: wrote_back
-- Writes down patches of ours, as their answers showed the events. No event is named twice.
-- $1 jsonb [{project_id, owner, epoch, tenant_id, calendar_id, event_id, etag (that the event was loaded with), event,
-- rung or null, today, kind and detail (of the history)}]. Rows: none. Index: link_pkey.
WITH asked AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1) AS a(
        project_id bigint, owner uuid, epoch bigint, tenant_id bigint, calendar_id bigint, event_id text, etag text,
        event jsonb, rung text, today date, kind text, detail jsonb)
), fence AS MATERIALIZED (
    SELECT l.project_id, l.owner, l.epoch FROM syncer.lease l
    WHERE (l.project_id, l.owner, l.epoch) IN (SELECT a.project_id, a.owner, a.epoch FROM asked a)
    ORDER BY l.project_id FOR KEY SHARE OF l
), moment AS MATERIALIZED (
    SELECT syncer.clock() AS at
), turn AS MATERIALIZED (
    -- In the order in which pages lock them.
    SELECT a.*, l.conference_id, moment.at FROM asked a CROSS JOIN moment
    JOIN fence f USING (project_id, owner, epoch) JOIN syncer.link l USING (tenant_id, calendar_id, event_id)
    ORDER BY l.tenant_id, l.calendar_id, l.event_id FOR NO KEY UPDATE OF l
), told AS (
    INSERT INTO syncer.history (tenant_id, at, kind, conference_id, calendar_id, event_id, detail)
    SELECT t.tenant_id, t.at, t.kind, t.conference_id, t.calendar_id, t.event_id, t.detail FROM turn t
)
UPDATE syncer.link l
SET event = CASE WHEN l.event ->> 'etag' = t.etag THEN t.event ELSE l.event END, rung = coalesce(t.rung, l.rung),
    write_backs = CASE WHEN l.write_backs_on = t.today THEN l.write_backs ELSE 0 END + 1, write_backs_on = t.today
FROM turn t WHERE l.tenant_id = t.tenant_id AND l.calendar_id = t.calendar_id AND l.event_id = t.event_id;
