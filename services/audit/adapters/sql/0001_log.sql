-- The log: append-only, hash-chained (docs/adr/0004-chain-format.md). Collation C: chains sort alike
-- in Python, in every Postgres, and after an upgrade of the operating system.

create table heads (
    chain text collate "C" primary key,
    number bigint not null check (number >= 0),
    row_hash bytea not null check (octet_length(row_hash) = 32),
    recorded_at timestamptz
);

create table log (
    chain text collate "C" not null,
    number bigint not null check (number > 0),
    format smallint not null,
    message_id text collate "C" not null,
    type text collate "C" not null,
    publisher text collate "C" not null,
    tenant text collate "C",
    correlation_id text collate "C" not null,
    causation_id text collate "C",
    app_id text collate "C" not null,
    traceparent text collate "C",
    made_at timestamptz not null,
    recorded_at timestamptz not null,
    body_kind text collate "C" not null check (body_kind in ('split', 'whole')),
    flags text[] collate "C" not null,
    refusal text collate "C",
    edition integer not null check (edition > 0),
    public bytea not null,
    personal_hash bytea not null check (octet_length(personal_hash) = 32),
    previous_hash bytea not null check (octet_length(previous_hash) = 32),
    row_hash bytea not null check (octet_length(row_hash) = 32),
    primary key (chain, number)
);

-- Deduplication. `edition` makes it hold even where two recorders meet over different chains.
create unique index log_key on log (message_id, publisher, edition);
-- The timeline of a message: all that has the same first cause.
create index log_correlation on log (correlation_id);

-- The only part that may be erased: `delete from personal where …`. Without the salt, the hash that
-- stays in the log cannot be tried against guesses.
create table personal (
    chain text collate "C" not null,
    number bigint not null,
    salt bytea not null check (octet_length(salt) = 32),
    content bytea not null,
    primary key (chain, number)
);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'audit: % of % is refused: the record is append-only', tg_op, tg_table_name
        using errcode = 'insufficient_privilege';
end
$$;

create trigger log_is_append_only before update or delete on log
    for each row execute function refuse_change();
create trigger log_is_never_emptied before truncate on log
    for each statement execute function refuse_change();
create trigger personal_is_never_changed before update on personal
    for each row execute function refuse_change();
create trigger personal_is_never_emptied before truncate on personal
    for each statement execute function refuse_change();

-- A head only moves forward.
create function refuse_step_back() returns trigger language plpgsql as $$
begin
    if new.chain <> old.chain or new.number <= old.number then
        raise exception 'audit: the head of chain % moves forward only', old.chain
            using errcode = 'insufficient_privilege';
    end if;
    return new;
end
$$;

create trigger head_moves_forward before update on heads
    for each row execute function refuse_step_back();
create trigger heads_stay before delete on heads
    for each row execute function refuse_change();
create trigger heads_are_never_emptied before truncate on heads
    for each statement execute function refuse_change();

-- An owner may grant itself anything again, so this stops mistakes and injected statements, not the
-- owner. Where another role applies the migrations, it keeps the service from changing any record.
revoke update, delete, truncate on log from undeliver_audit;
revoke update, truncate on personal from undeliver_audit;
revoke delete, truncate on heads from undeliver_audit;
grant select, insert on log to undeliver_audit;
grant select, insert, delete on personal to undeliver_audit;
grant select, insert, update on heads to undeliver_audit;
grant select on migrations to undeliver_audit;
