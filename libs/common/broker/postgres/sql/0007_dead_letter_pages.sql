set local role undeliver_broker;

-- Oldest first; of one queue, or (null) of all; behind the last one seen, or (null) from the beginning;
-- and none that was given up on later than the walk began.
create function dead_letters_after(
    of_queue text, last_at timestamptz, last_letter bigint, began_at timestamptz, most integer)
returns setof dead_letters
language sql stable security definer set search_path = broker, pg_temp as $$
    select l.dead_letter_id, l.queue, l.message_id, l.type, l.body, l.tenant, l.correlation_id,
           l.causation_id, l.made_at, l.app_id, l.traceparent, l.publisher, l.attempt, l.handed_out,
           l.reason, l.dead_lettered_at
      from dead_letters l
     where (of_queue is null or l.queue = of_queue)
       and (last_at is null or (l.dead_lettered_at, l.dead_letter_id) > (last_at, last_letter))
       and l.dead_lettered_at <= began_at
       and may_see(l.queue)
     order by l.dead_lettered_at, l.dead_letter_id
     limit most
$$;

grant execute on function
    dead_letters_after(text, timestamptz, bigint, timestamptz, integer)
to public;

reset role;
