-- Calls to provider accounts: what was used of their limits, and what is reserved.

-- name: reserve
-- Tells what came of earlier reservations of an account, and reserves more.
-- $1 account_id bigint, $2 and $3 jsonb, as `syncer.reserve_calls` says (migration 0012). Rows: one a scope of $3, none
-- when there is no such account; scope, granted, slot, room_in (seconds). Index: provider_spend_pkey.
SELECT scope, granted, slot, room_in FROM syncer.reserve_calls($1, $2, $3);

-- name: prune
-- Forgets what counts no longer. No parameters. Index: none, it goes over a small table once in a while.
DELETE FROM syncer.provider_spend
WHERE slot <= (extract(epoch FROM syncer.clock()) - seconds) * 60 / seconds;
