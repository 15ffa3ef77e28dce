-- name: take
-- Leases that nobody holds (any more), now ours. One with a commit under way (FOR KEY SHARE) is passed over until the
-- next beat, so that a commit that hangs holds up the take-over of its own project only.
-- $1 owner uuid, $2 seconds a lease lasts, $3 the owner's clock timestamptz, $4 at most so many,
-- $5 project ids that we know we hold bigint[]: a lease of ours that we do not know of (an answer was lost) is taken
-- anew at once, for nobody serves it. Rows: project_id, epoch. Index: lease_pkey.
WITH free AS MATERIALIZED (
    SELECT project_id FROM syncer.lease
    WHERE (until < syncer.clock() OR owner IS NULL OR owner = $1) AND project_id <> ALL ($5::bigint[])
    ORDER BY project_id LIMIT $4
    FOR UPDATE SKIP LOCKED
)
UPDATE syncer.lease AS l
SET owner = $1, epoch = l.epoch + 1, until = syncer.clock() + make_interval(secs => $2), owner_clock_at = $3
FROM free WHERE l.project_id = free.project_id
RETURNING l.project_id, l.epoch;

-- name: renew
-- Our leases, renewed. A lease that is missing in the answer is lost. A plain UPDATE: commits do not hold it up.
-- $1 owner uuid, $2 seconds, $3 the owner's clock, $4 project ids bigint[], $5 epochs bigint[]. Rows: project_id. Index: lease_pkey.
UPDATE syncer.lease AS l
SET until = syncer.clock() + make_interval(secs => $2), owner_clock_at = $3
FROM unnest($4::bigint[], $5::bigint[]) AS held(project_id, epoch)
WHERE l.project_id = held.project_id AND l.owner = $1 AND l.epoch = held.epoch
RETURNING l.project_id;

-- name: release
-- Our leases, given back: the next worker need not wait for them to run out.
-- $1 owner uuid. Rows: none. Index: none (the table has a row a project).
UPDATE syncer.lease SET owner = NULL, until = '-infinity' WHERE owner = $1;

-- name: shift
-- How far the clock of a cluster for tests or demos is set off; none on any other. Rows: at most one, shift interval.
SELECT shift FROM syncer.test_clock;
