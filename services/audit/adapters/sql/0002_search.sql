-- What people search by. Derived from the log in the same transaction, and not part of the chain.

create table entries (
    chain text collate "C" not null,
    number bigint not null,
    recorded_at timestamptz not null,
    section text collate "C" not null,
    disposition text collate "C",
    outcome text collate "C",
    primary key (chain, number)
);

-- As search orders them, so that the newest are read and not all sorted.
create index entries_recorded on entries (recorded_at desc, chain, number desc);
create index entries_section on entries (section, recorded_at desc, chain, number desc);

create table marks (
    kind text collate "C" not null,
    value text collate "C" not null,
    chain text collate "C" not null,
    number bigint not null,
    primary key (kind, value, chain, number)
);

-- Erasing a record's personal bytes erases what search knew of them.
create index marks_record on marks (chain, number);

create function erase_marks() returns trigger language plpgsql set search_path from current as $$
begin
    delete from marks m using erased e
    where m.chain = e.chain and m.number = e.number
        and m.kind in ('internet_message_id', 'mailbox', 'person');
    return null;
end
$$;

create trigger personal_marks_go_with_it after delete on personal
    referencing old table as erased for each statement execute function erase_marks();

grant select, insert, delete on entries, marks to undeliver_audit;

-- People's commands read; personal content is shown only where they ask for it.
grant usage on schema audit to undeliver_cli;
grant select on heads, log, personal, entries, marks to undeliver_cli;
