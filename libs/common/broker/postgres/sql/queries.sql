-- The functions of the queue, as its adapter calls them.

-- name: publish
-- Routes and stores a batch in one transaction; returns the types that miss a queue.
select publish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) as homeless

-- name: claim
-- Takes up to $3 deliveries under a lease.
select delivery_id, claim, message_id, type, body, tenant, correlation_id, causation_id, made_at,
       app_id, traceparent, publisher, attempt, handed_out
  from claim($1, $2, $3, $4)

-- name: due_in_seconds
-- Tells how long an idle consumer may sleep.
select due_in_seconds($1)

-- name: extend
-- The heartbeat of a consumer that is alive; what is not returned was lost.
select delivery_id from extend($1, $2, $3, $4) as delivery_id

-- name: settle
-- Settles a batch, whatever the verdicts.
select settle($1, $2, $3, $4, $5, $6)

-- name: release
-- What a consumer does last, and after a failure that it cannot see through.
select release($1, $2, $3)

-- name: waiting_dead_letters
-- Lists what was given up on, as far as the caller may see it.
select dead_letter_id, queue, message_id, type, body, tenant, correlation_id, causation_id, made_at,
       app_id, traceparent, publisher, attempt, handed_out, reason, dead_lettered_at
  from waiting_dead_letters($1, $2)

-- name: current_time
-- The clock that dead letters are dated by.
select clock_timestamp()

-- name: dead_letters_after
-- One page of a walk through what was given up on.
select dead_letter_id, queue, message_id, type, body, tenant, correlation_id, causation_id, made_at,
       app_id, traceparent, publisher, attempt, handed_out, reason, dead_lettered_at
  from dead_letters_after($1, $2, $3, $4, $5)

-- name: replay
-- Moves one dead letter back into its queue.
select replay($1)

-- name: declared
-- What a publisher compares with its topology.
select queue, type from declared()

-- name: declared_queues
-- What an operator compares with a topology.
select queue, service, delivery_limit from declared_queues()

-- name: depths
-- For gauges and probes.
select queue, ready, held, delayed, dead, oldest_ready_seconds from depths()

-- name: notify
-- Wakes consumers in other processes; a lost one costs a poll, so it need not wait for the disk.
select set_config('synchronous_commit', 'off', true), pg_notify($1, queue) from unnest($2::text[]) as queue

-- name: declare_topology
-- Run as the queue's owner, before anybody publishes.
select declare_topology($1, $2, $3, $4, $5)

-- name: recover_claims
-- Run as the queue's owner, where nobody else can be alive.
select recover_claims()
