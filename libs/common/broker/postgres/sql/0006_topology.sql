set local role undeliver_broker;

-- Makes queues and bindings exactly those given. A queue that is no longer named keeps what it holds,
-- but gets nothing new. A queue cannot change its service or limit: consumers of both would meet.
create function declare_topology(
    names text[], services text[], limits integer[], bound_queues text[], bound_types text[])
returns void
language plpgsql set search_path = broker, pg_temp as $$
declare
    conflict record;
begin
    lock table queues, bindings in share row exclusive mode;
    insert into queues (queue, service, delivery_limit)
    select n.queue, n.service, n.delivery_limit
      from unnest(names, services, limits) as n (queue, service, delivery_limit)
        on conflict (queue) do nothing;
    select q.queue, q.service, q.delivery_limit into conflict
      from unnest(names, services, limits) as n (queue, service, delivery_limit)
      join queues q on q.queue = n.queue
     where (q.service, q.delivery_limit) <> (n.service, n.delivery_limit)
     limit 1;
    if found then
        raise exception 'queue % exists, of service % with delivery limit %',
            conflict.queue, conflict.service, conflict.delivery_limit
            using errcode = 'duplicate_object';
    end if;
    delete from bindings b
     where (b.queue, b.type) not in (
        select n.queue, n.type from unnest(bound_queues, bound_types) as n (queue, type));
    insert into bindings (queue, type)
    select n.queue, n.type from unnest(bound_queues, bound_types) as n (queue, type)
        on conflict (type, queue) do nothing;
end
$$;

-- What is declared: a row for each binding, and one without type for a queue that has none.
create function declared() returns table (queue text, type text)
language sql stable security definer set search_path = broker, pg_temp as $$
    select q.queue, b.type from queues q left join bindings b on b.queue = q.queue
$$;

-- How much each queue holds, by state, and since when its oldest ready delivery waits.
create function depths() returns table (
    queue text, ready bigint, held bigint, delayed bigint, dead bigint, oldest_ready_seconds double precision)
language sql stable security definer set search_path = broker, pg_temp as $$
    select q.queue,
           count(d.delivery_id) filter (where d.available_at <= now()),
           count(d.delivery_id) filter (where d.available_at > now() and d.claim is not null),
           count(d.delivery_id) filter (where d.available_at > now() and d.claim is null),
           (select count(*) from dead_letters l where l.queue = q.queue),
           coalesce(extract(epoch from now() - min(d.available_at) filter (where d.available_at <= now())), 0)
      from queues q left join deliveries d on d.queue = q.queue
     where caller() is not null
     group by q.queue
$$;

-- Ends every hold at once. Only for a start that has proved that no consumer is alive.
create function recover_claims() returns void
language sql set search_path = broker, pg_temp as $$
    update deliveries set claim = null, claimed_by = null, lost = lost + 1, available_at = now()
     where claim is not null
$$;

-- `declare_topology` and `recover_claims` are the owner's alone.
grant execute on function
    publish(
        text[], text[], bytea[], text[], text[], text[], timestamptz[], text[], text[], text[], text[]),
    claim(text, uuid, integer, double precision),
    due_in_seconds(text),
    extend(text, bigint[], bigint[], double precision),
    settle(text, bigint[], bigint[], text[], text[], double precision[]),
    release(text, uuid, bigint[]),
    waiting_dead_letters(text, integer),
    replay(bigint),
    declared(),
    depths()
to public;

reset role;
