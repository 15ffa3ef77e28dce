-- Meetings that their vendor says were changed there: marks that ask for a reading, written by receivers.

-- name: accounts
-- Every tenant's provider account, whatever the tenant's state.
-- No parameters. Rows: slug, account_id, provider, settings jsonb, credential. Index: provider_account_pkey.
SELECT t.slug, a.account_id, a.provider, a.settings, a.credential
FROM syncer.tenant t JOIN syncer.provider_account a USING (account_id);

-- name: mark
-- Marks the conferences of the tenants that own these meetings. Not fenced: a mark can only ask for a reading.
-- $1 account ids bigint[] and, place by place, $2 ids of meetings text[], as their provider knows them.
-- Rows: account_id, meeting_id of those that are known, each once, marked or not: one that was deleted, is only watched
-- or was let go needs no reading. Index: conference_of_account, conference_of_replacement, meeting_owner_pkey.
WITH asked AS (
    SELECT DISTINCT account_id, meeting_id FROM unnest($1::bigint[], $2::text[]) AS a(account_id, meeting_id)
), found AS MATERIALIZED (
    SELECT a.account_id, a.meeting_id, c.meeting_id AS named_id, c.tenant_id, c.conference_id, c.state
    FROM asked a JOIN syncer.conference c USING (account_id, meeting_id)
    UNION ALL
    SELECT a.account_id, a.meeting_id, c.meeting_id, c.tenant_id, c.conference_id, c.state
    FROM asked a CROSS JOIN LATERAL (
        SELECT c.meeting_id, c.tenant_id, c.conference_id, c.state FROM syncer.conference c
        WHERE c.account_id = a.account_id AND c.meeting ->> 'meeting_id' = a.meeting_id
          AND c.meeting ->> 'meeting_id' <> c.meeting_id
        OFFSET 0  -- one by one by the index: Postgres takes the few that were replaced for nearly all
    ) AS c
), marked AS (
    INSERT INTO syncer.changed_there (tenant_id, conference_id)
    SELECT DISTINCT f.tenant_id, f.conference_id FROM found f
    WHERE f.state IN ('live', 'gone', 'leaving', 'held')
      AND f.tenant_id = (SELECT o.tenant_id FROM syncer.meeting_owner o
                         WHERE o.account_id = f.account_id AND o.meeting_id = f.named_id)
    -- In one order, so that two receivers never wait for each other.
    ORDER BY f.tenant_id, f.conference_id
    ON CONFLICT (tenant_id, conference_id) DO UPDATE SET mark = DEFAULT
)
SELECT DISTINCT account_id, meeting_id FROM found;

-- name: due
-- Marked conferences of some tenants, but those that may not be read now: one that is to be pushed is pushed first, and
-- one that is about to be deleted is read if its event comes back.
-- $1 tenant ids bigint[], $2 at most so many in all, $3 and of one provider account.
-- Rows: tenant_id, conference_id, mark, row_version text (another one after each change of the conference), is_readable
-- (else it needs no reading any more), oldest mark first. Index: changed_there_pkey, conference_pkey.
SELECT tenant_id, conference_id, mark, row_version, is_readable FROM (
    SELECT m.tenant_id, m.conference_id, m.mark, c.xmin::text AS row_version, c.state IN ('live', 'gone') AS is_readable,
           row_number() OVER (PARTITION BY c.account_id ORDER BY m.mark) AS place
    FROM syncer.changed_there m JOIN syncer.conference c USING (tenant_id, conference_id)
    WHERE m.tenant_id = ANY ($1::bigint[]) AND c.state NOT IN ('leaving', 'held')
      AND c.wanted_version = c.applied_version AND NOT c.is_in_doubt
      AND (c.next_try_at IS NULL OR c.next_try_at <= syncer.clock())
) AS marked
WHERE place <= $3 ORDER BY mark LIMIT $2;

-- name: forget
-- Takes marks away whose conference was read since they were seen, or needs no reading any more. A newer mark stays.
-- $1 tenant ids bigint[] and, place by place, $2 conference ids bigint[], $3 marks bigint[], $4 row_version text[] then,
-- $5 seen at timestamptz[], by the clock that sets read_back_at. Rows: none. Index: changed_there_pkey, conference_pkey.
WITH seen AS (
    SELECT m.ctid
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[])
        AS s(tenant_id, conference_id, mark, row_version, seen_at)
    JOIN syncer.changed_there m USING (tenant_id, conference_id, mark)
    JOIN syncer.conference c USING (tenant_id, conference_id)
    WHERE c.state NOT IN ('live', 'gone', 'leaving', 'held')
       OR c.state = 'live' AND c.read_back_at >= s.seen_at
       -- A push of one that is gone always reads it first, and puts off what it could not read.
       OR c.state = 'gone' AND c.xmin::text <> s.row_version AND c.next_try_at IS NULL
    ORDER BY tenant_id, conference_id FOR UPDATE OF m
)
DELETE FROM syncer.changed_there WHERE ctid = ANY (ARRAY(SELECT ctid FROM seen));
