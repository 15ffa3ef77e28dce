-- name: standing
-- What projects may ask of Google, and what was written down of their spending, if anything was.
-- $1 project ids bigint[]. Rows: one a project; project_id, per_minute, per_user_minute, per_day, minute_count,
-- reserved_count, day, day_count (the last four null where nothing was). Index: project_pkey, budget_pkey.
SELECT p.project_id, p.per_minute, p.per_user_minute, p.per_day,
       b.minute_count, b.reserved_count, b.day, b.day_count
FROM syncer.project p LEFT JOIN syncer.budget b USING (project_id)
WHERE p.project_id = ANY ($1::bigint[]);

-- name: write
-- What a worker has spent for projects that it holds, and reserves. One whose lease is another's now is left out, and
-- so is missing in the answer; the others come with what they may ask, as it stands now.
-- $1 owner uuid, $2 project ids bigint[], $3 epochs bigint[], $4 minute counts int[], $5 reserved counts int[],
-- $6 days date[], $7 day counts bigint[], $8 paces real[]. Rows: project_id, per_minute, per_user_minute, per_day.
-- Index: lease_pkey, project_pkey, budget_pkey.
WITH told AS MATERIALIZED (
    SELECT t.* FROM unnest($2::bigint[], $3::bigint[], $4::int[], $5::int[], $6::date[], $7::bigint[], $8::real[])
        AS t(project_id, epoch, minute_count, reserved_count, day, day_count, pace)
    JOIN syncer.lease l USING (project_id)
    WHERE l.owner = $1 AND l.epoch = t.epoch
    ORDER BY project_id FOR KEY SHARE OF l
), written AS (
    INSERT INTO syncer.budget AS b (project_id, minute_count, reserved_count, day, day_count, pace)
    SELECT project_id, minute_count, reserved_count, day, day_count, pace FROM told
    ON CONFLICT (project_id) DO UPDATE SET
        (minute_count, reserved_count, day, day_count, pace, written_at) = (EXCLUDED.minute_count,
        EXCLUDED.reserved_count, EXCLUDED.day, EXCLUDED.day_count, EXCLUDED.pace, EXCLUDED.written_at)
    RETURNING b.project_id
)
SELECT p.project_id, p.per_minute, p.per_user_minute, p.per_day FROM written JOIN syncer.project p USING (project_id);
