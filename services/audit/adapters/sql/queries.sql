-- Statements of the recorder.

-- name: open_chains
-- A chain begins with its head at number 0; sorted, so that two recorders never wait in a circle.
insert into heads (chain, number, row_hash)
select chain, 0, row_hash
from unnest($1::text[], $2::bytea[]) as genesis (chain, row_hash)
order by chain
on conflict (chain) do nothing

-- name: lock_heads
-- Whoever holds the head gives the next numbers: no gaps, no two records in one place. Sorted locks.
select chain, number, row_hash
from heads
where chain = any ($1::text[])
order by chain
for update

-- name: known
-- What the log has under the keys of a batch; content is null where it has been erased.
select l.publisher, l.message_id, l.body_kind, p.content
from unnest($1::text[], $2::text[]) as key (publisher, message_id)
join log l on l.publisher = key.publisher and l.message_id = key.message_id
left join personal p on p.chain = l.chain and p.number = l.number
order by l.edition

-- name: insert_log
-- Flags travel joined by commas, since unnest would flatten arrays of arrays.
insert into log (
    chain, number, format, message_id, type, publisher, tenant, correlation_id, causation_id, app_id,
    traceparent, made_at, recorded_at, body_kind, flags, refusal, edition, public, personal_hash,
    previous_hash, row_hash
)
select
    chain, number, format, message_id, type, publisher, tenant, correlation_id, causation_id, app_id,
    traceparent, made_at, recorded_at, body_kind, string_to_array(flags, ','), refusal, edition,
    public, personal_hash, previous_hash, row_hash
from unnest(
    $1::text[], $2::bigint[], $3::smallint[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[],
    $14::text[], $15::text[], $16::text[], $17::integer[], $18::bytea[], $19::bytea[],
    $20::bytea[], $21::bytea[]
) as row (
    chain, number, format, message_id, type, publisher, tenant, correlation_id, causation_id, app_id,
    traceparent, made_at, recorded_at, body_kind, flags, refusal, edition, public, personal_hash,
    previous_hash, row_hash
)

-- name: insert_personal
-- Salt and personal bytes, apart from the log, since only they may be erased.
insert into personal (chain, number, salt, content)
select chain, number, salt, content
from unnest($1::text[], $2::bigint[], $3::bytea[], $4::bytea[]) as row (chain, number, salt, content)

-- name: insert_entries
-- One line of search per record.
insert into entries (chain, number, recorded_at, section, disposition, outcome)
select chain, number, recorded_at, section, disposition, outcome
from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[])
    as row (chain, number, recorded_at, section, disposition, outcome)

-- name: insert_marks
-- The values by which records are found.
insert into marks (kind, value, chain, number)
select kind, value, chain, number
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as row (kind, value, chain, number)
order by kind, value

-- name: move_heads
-- The batch's last record of each chain becomes its head.
update heads
set number = moved.number, row_hash = moved.row_hash, recorded_at = moved.recorded_at
from unnest($1::text[], $2::bigint[], $3::bytea[], $4::timestamptz[])
    as moved (chain, number, row_hash, recorded_at)
where heads.chain = moved.chain

