set local role undeliver_broker;

-- What is declared, for whoever compares it with a topology.
create function declared_queues() returns setof queues
language sql stable security definer set search_path = broker, pg_temp as $$
    select q.queue, q.service, q.delivery_limit from queues q
$$;

grant execute on function declared_queues() to public;

reset role;
