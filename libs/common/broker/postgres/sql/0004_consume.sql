-- Claims and settlements need not survive a crash of Postgres: the message then comes again, which is
-- what at least once means. So they don't wait for the disk (`synchronous_commit` off); the next
-- publish takes them along.

set local role undeliver_broker;

-- Hands out deliveries under a lease; one that was lost too often is a dead letter instead.
create function claim(of_queue text, subscription uuid, most integer, lease_seconds double precision)
returns setof deliveries
language plpgsql security definer
set enable_seqscan = off
set search_path = broker, pg_temp as $$
declare
    dead_above constant integer := limit_of(of_queue);
    this_claim constant bigint := nextval('claims');
begin
    perform set_config('synchronous_commit', 'off', true);
    return query
    with due as materialized (
        select d.delivery_id, d.lost + (d.claim is not null)::integer as lost
          from deliveries d
         where d.queue = of_queue and d.available_at <= now()
         order by d.available_at
         limit most
           for update skip locked
    ), spent as (
        delete from deliveries d using due
         where d.delivery_id = due.delivery_id and due.lost > dead_above
        returning d.*
    ), buried as (
        insert into dead_letters (
            dead_letter_id, queue, message_id, type, body, tenant, correlation_id, causation_id,
            made_at, app_id, traceparent, publisher, attempt, handed_out, reason)
        select s.delivery_id, s.queue, s.message_id, s.type, s.body, s.tenant, s.correlation_id,
               s.causation_id, s.made_at, s.app_id, s.traceparent, s.publisher, s.attempt,
               s.handed_out, 'delivery_limit'
          from spent s
    )
    update deliveries d
       set claim = this_claim, claimed_by = subscription, lost = due.lost,
           handed_out = d.handed_out + 1,
           available_at = now() + make_interval(secs => lease_seconds)
      from due
     where d.delivery_id = due.delivery_id and due.lost <= dead_above
    returning d.*;
end
$$;

-- Seconds until the queue's next delivery may be handed out; null where there is none.
create function due_in_seconds(of_queue text) returns double precision
language plpgsql stable security definer set search_path = broker, pg_temp as $$
begin
    perform limit_of(of_queue);
    return (select extract(epoch from min(d.available_at) - now()) from deliveries d
             where d.queue = of_queue);
end
$$;

-- Lengthens leases; returns the deliveries still held.
create function extend(
    of_queue text, delivery_ids bigint[], held_claims bigint[], lease_seconds double precision)
returns setof bigint
language plpgsql security definer
set enable_seqscan = off
set search_path = broker, pg_temp as $$
begin
    perform limit_of(of_queue);
    perform set_config('synchronous_commit', 'off', true);
    return query
    -- Rows are locked in one order everywhere, so that no two calls wait for each other.
    with held as materialized (
        select d.delivery_id
          from unnest(delivery_ids, held_claims) as h (delivery_id, claim)
          join deliveries d on d.delivery_id = h.delivery_id and d.claim = h.claim
         where d.queue = of_queue
         order by d.delivery_id
           for update of d
    )
    update deliveries d set available_at = now() + make_interval(secs => lease_seconds)
      from held where d.delivery_id = held.delivery_id
    returning d.delivery_id;
end
$$;

-- Settles deliveries: `ack`, `retry`, `dead_letter` or `hand_back`. A hold that was lost counts for
-- nothing.
create function settle(
    of_queue text, delivery_ids bigint[], held_claims bigint[], verdicts text[], reasons text[],
    delays_seconds double precision[])
returns void
language plpgsql security definer
set enable_seqscan = off
set search_path = broker, pg_temp as $$
begin
    perform limit_of(of_queue);
    perform set_config('synchronous_commit', 'off', true);
    with held as materialized (
        select d.delivery_id, h.verdict, h.reason, h.delay_seconds
          from unnest(delivery_ids, held_claims, verdicts, reasons, delays_seconds)
            as h (delivery_id, claim, verdict, reason, delay_seconds)
          join deliveries d on d.delivery_id = h.delivery_id and d.claim = h.claim
         where d.queue = of_queue
         order by d.delivery_id
           for update of d
    ), buried as (
        insert into dead_letters (
            dead_letter_id, queue, message_id, type, body, tenant, correlation_id, causation_id,
            made_at, app_id, traceparent, publisher, attempt, handed_out, reason)
        select d.delivery_id, d.queue, d.message_id, d.type, d.body, d.tenant, d.correlation_id,
               d.causation_id, d.made_at, d.app_id, d.traceparent, d.publisher, d.attempt,
               d.handed_out, held.reason
          from held join deliveries d on d.delivery_id = held.delivery_id
         where held.verdict = 'dead_letter'
    ), gone as (
        delete from deliveries d using held
         where d.delivery_id = held.delivery_id and held.verdict in ('ack', 'dead_letter')
    )
    update deliveries d
       set claim = null, claimed_by = null,
           attempt = d.attempt + (held.verdict = 'retry')::integer,
           lost = case held.verdict when 'retry' then 0 else d.lost end,
           available_at = now() + make_interval(secs => held.delay_seconds)
      from held
     where d.delivery_id = held.delivery_id and held.verdict in ('retry', 'hand_back');
end
$$;

-- Hands back what one subscription holds, but for some claims.
create function release(of_queue text, subscription uuid, but_for bigint[]) returns void
language plpgsql security definer
set enable_seqscan = off
set search_path = broker, pg_temp as $$
begin
    perform limit_of(of_queue);
    perform set_config('synchronous_commit', 'off', true);
    with held as materialized (
        select d.delivery_id from deliveries d
         where d.queue = of_queue and d.claimed_by = subscription and d.claim <> all (but_for)
         order by d.delivery_id
           for update
    )
    update deliveries d set claim = null, claimed_by = null, available_at = now()
      from held where d.delivery_id = held.delivery_id;
end
$$;

reset role;
