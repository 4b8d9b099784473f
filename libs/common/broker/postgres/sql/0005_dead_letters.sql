set local role undeliver_broker;

-- People's commands see all dead letters, a service those of its own queues.
create function may_see(of_queue text) returns boolean
language sql stable set search_path = broker, pg_temp as $$
    select caller() = 'cli'
        or exists (select from queues q where q.queue = of_queue and q.service = caller())
$$;

-- Oldest first; of one queue, or (null) of all.
create function waiting_dead_letters(of_queue text, most integer) returns setof dead_letters
language sql stable security definer set search_path = broker, pg_temp as $$
    select l.dead_letter_id, l.queue, l.message_id, l.type, l.body, l.tenant, l.correlation_id,
           l.causation_id, l.made_at, l.app_id, l.traceparent, l.publisher, l.attempt, l.handed_out,
           l.reason, l.dead_lettered_at
      from dead_letters l
     where (of_queue is null or l.queue = of_queue) and may_see(l.queue)
     order by l.dead_lettered_at, l.dead_letter_id
     limit most
$$;

-- Returns the queue that the letter went back to; null where there is no such letter (any more).
create function replay(letter bigint) returns text
language plpgsql security definer set search_path = broker, pg_temp as $$
declare
    to_queue text;
begin
    with risen as (
        delete from dead_letters l where l.dead_letter_id = letter and may_see(l.queue)
        returning l.*
    )
    insert into deliveries (
        queue, message_id, type, body, tenant, correlation_id, causation_id, made_at, app_id,
        traceparent, publisher)
    select r.queue, r.message_id, r.type, r.body, r.tenant, r.correlation_id, r.causation_id,
           r.made_at, r.app_id, r.traceparent, r.publisher
      from risen r
    returning queue into to_queue;
    return to_queue;
end
$$;

reset role;
