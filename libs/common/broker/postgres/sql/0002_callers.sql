-- Who calls: `session_user` is the role that signed in, whatever function runs on its behalf.

set local role undeliver_broker;

create function caller() returns text
language plpgsql stable set search_path = broker, pg_temp as $$
begin
    -- The broker's own role owns the tables; it speaks for nobody.
    if session_user !~ '^undeliver_.' or session_user = 'undeliver_broker' then
        raise exception 'role % is no publisher', session_user using errcode = 'insufficient_privilege';
    end if;
    return substr(session_user::text, length('undeliver_') + 1);
end
$$;

-- Returns the queue's delivery limit to the service that owns it.
create function limit_of(of_queue text) returns integer
language plpgsql stable set search_path = broker, pg_temp as $$
declare
    found_limit integer;
begin
    select q.delivery_limit into found_limit
      from queues q where q.queue = of_queue and q.service = caller();
    if found_limit is null then
        raise exception 'queue % is not one of %', of_queue, caller()
            using errcode = 'insufficient_privilege';
    end if;
    return found_limit;
end
$$;

reset role;
