-- Functions of the provisioning session alone: they end with it, and nobody else sees them.

-- name: functions
-- Each leaves alone what is there, so that the script may be run again, and by several at once.
create or replace function pg_temp.undeliver_role(role text, verifier text) returns void
language plpgsql as $$
begin
    begin
        if not exists (select from pg_catalog.pg_roles where rolname = role) then
            execute format('create role %I login', role);
        end if;
    exception when duplicate_object or unique_violation then
        null; -- roles belong to the whole server: one of another database's was faster
    end;
    if verifier is not null then
        execute format('alter role %I password %L', role, verifier);
    end if;
    execute format('grant connect on database %I to %I', current_database(), role);
end
$$;

create or replace function pg_temp.undeliver_schema(schema text, role text) returns void
language plpgsql as $$
begin
    -- Only a member of a role may make it an owner, unless superuser.
    if not (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
        execute format('grant %I to current_user', role);
    end if;
    execute format('create schema if not exists %I authorization %I', schema, role);
end
$$;

-- name: existing
-- What of this is there already.
select 'role' as kind, rolname::text as name from pg_catalog.pg_roles where rolname = any ($1)
union all
select 'schema', nspname::text from pg_catalog.pg_namespace where nspname = any ($2)
