set local role undeliver_broker;

-- Puts each message into every queue bound to its type, once each, under the caller's name.
-- The caller says which queues it expects for the types; a type that misses one, or has none at all,
-- is not published, and is returned: an absent consumer must not lose mail.
create function publish(
    message_ids text[], types text[], bodies bytea[], tenants text[], correlation_ids text[],
    causation_ids text[], made_ats timestamptz[], app_ids text[], traceparents text[],
    expected_types text[], expected_queues text[]
) returns text[]
language plpgsql security definer
-- The planner's guesses about tables that fill and empty within seconds are no use.
set enable_seqscan = off
set search_path = broker, pg_temp as $$
declare
    by_publisher constant text := caller();
    homeless text[];
begin
    if exists (select from unnest(bodies) as body where length(body) > 8388608) then
        raise exception 'a body is larger than 8 MiB' using errcode = 'program_limit_exceeded';
    end if;
    -- A confirm means durable, whatever the connection is set to.
    perform set_config('synchronous_commit', 'on', true);
    homeless := array(
        select e.type from unnest(expected_types, expected_queues) as e (type, queue)
         where not exists (
            select from bindings b where b.queue = e.queue and b.type in (e.type, '#'))
        union
        select t from unnest(types) as t
         where not exists (select from bindings b where b.type in (t, '#'))
    );
    insert into deliveries (
        queue, message_id, type, body, tenant, correlation_id, causation_id, made_at, app_id,
        traceparent, publisher)
    select home.queue, m.message_id, m.type, m.body, m.tenant, m.correlation_id, m.causation_id,
           m.made_at, m.app_id, m.traceparent, by_publisher
      from unnest(
            message_ids, types, bodies, tenants, correlation_ids, causation_ids, made_ats, app_ids,
            traceparents)
        as m (message_id, type, body, tenant, correlation_id, causation_id, made_at, app_id,
            traceparent)
     cross join lateral (
            select distinct b.queue from bindings b where b.type in (m.type, '#')) as home
     where m.type <> all (homeless);
    return homeless;
end
$$;

reset role;
