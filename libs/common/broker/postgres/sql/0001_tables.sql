-- Queues, what is bound to them, and what waits in them.
-- Nobody but the owner touches these tables: everything goes through the functions that follow, which
-- know the caller by its database role.

alter table migrations owner to undeliver_broker;
set local role undeliver_broker;

-- Callers see the schema, but no table, and of the functions only those granted to them by name.
revoke all on schema broker from public;
grant usage on schema broker to public;
alter default privileges revoke execute on functions from public;

create table queues (
    queue text primary key,
    -- The only service that may consume it.
    service text not null,
    delivery_limit integer not null check (delivery_limit > 0)
);

create table bindings (
    -- A message type, or `#` for all.
    type text not null,
    queue text not null references queues (queue),
    primary key (type, queue)
);

-- One row for each message and queue. The row goes when it is settled, so the table stays small.
create table deliveries (
    delivery_id bigint generated always as identity primary key,
    queue text not null,
    message_id text not null,
    type text not null,
    body bytea not null,
    tenant text,
    correlation_id text not null,
    causation_id text,
    made_at timestamptz not null,
    app_id text not null,
    traceparent text,
    -- The role that published it first, as Postgres proved it.
    publisher text not null,
    -- 1 + failures that the consumer recorded.
    attempt integer not null default 1,
    -- How often it was handed out in this attempt, and how often nobody settled it afterwards.
    handed_out integer not null default 0,
    lost integer not null default 0,
    -- From when it may be handed out (again): the future while it is held, or waits for a retry.
    available_at timestamptz not null default now(),
    -- The hold: a number of its own for each time it is handed out, and whose it is. Null: nobody's.
    claim bigint,
    claimed_by uuid
) with (
    -- Rows come and go by the thousand: without this, dead index entries would pile up at the head.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0
);

create index deliveries_by_availability on deliveries (queue, available_at);

create sequence claims;

create table dead_letters (
    dead_letter_id bigint primary key,
    queue text not null,
    message_id text not null,
    type text not null,
    body bytea not null,
    tenant text,
    correlation_id text not null,
    causation_id text,
    made_at timestamptz not null,
    app_id text not null,
    traceparent text,
    publisher text not null,
    attempt integer not null,
    handed_out integer not null,
    reason text not null,
    dead_lettered_at timestamptz not null default now()
);

create index dead_letters_by_age on dead_letters (dead_lettered_at, dead_letter_id);

reset role;
