-- Statements of people's commands: they read only. Most find places; `records` reads what is there.

-- name: heads
-- The end of each chain, or of one.
select chain, number, row_hash, recorded_at
from heads
where $1::text is null or chain = $1
order by chain

-- name: walk
-- Whole chains in the order of their numbers, with what may be erased where it still is.
select
    l.chain, l.number, l.format, l.message_id, l.type, l.publisher, l.tenant, l.correlation_id,
    l.causation_id, l.app_id, l.traceparent, l.made_at, l.recorded_at, l.body_kind, l.flags,
    l.refusal, l.edition, l.public, l.personal_hash, l.previous_hash, l.row_hash,
    p.salt is null as is_erased, p.salt, p.content
from log l
left join personal p on p.chain = l.chain and p.number = l.number
where $1::text is null or l.chain = $1
order by l.chain, l.number

-- name: records
-- What stands at these places, in their order; the personal part only where it is asked for.
select
    l.chain, l.number, l.format, l.message_id, l.type, l.publisher, l.tenant, l.correlation_id,
    l.causation_id, l.app_id, l.traceparent, l.made_at, l.recorded_at, l.body_kind, l.flags,
    l.refusal, l.edition, l.public, l.personal_hash, l.previous_hash, l.row_hash,
    p.salt is null as is_erased,
    case when $3::boolean then p.salt end as salt,
    case when $3::boolean then p.content end as content,
    e.section, e.disposition, e.outcome
from unnest($1::text[], $2::bigint[]) with ordinality as place (chain, number, rank)
join log l on l.chain = place.chain and l.number = place.number
left join entries e on e.chain = l.chain and e.number = l.number
left join personal p on p.chain = l.chain and p.number = l.number
order by place.rank

-- name: search
-- By what every record has; newest first.
select e.chain, e.number
from entries e
join log l on l.chain = e.chain and l.number = e.number
where ($1::text is null or e.chain = $1)
    and ($2::text is null or e.section = $2)
    and ($3::text is null or l.type = $3)
    and ($4::text is null or e.disposition = $4)
    and ($5::text is null or e.outcome = $5)
    and ($6::text is null or l.publisher = $6)
    and ($7::text is null or $7 = any (l.flags))
    and ($8::timestamptz is null or e.recorded_at >= $8)
    and ($9::timestamptz is null or e.recorded_at < $9)
order by e.recorded_at desc, e.chain, e.number desc
limit $10

-- name: search_marked
-- By values as well: a record must have all of them. A statement of its own, since here the marks
-- lead and there the time.
with found as (
    select m.chain, m.number
    from unnest($11::text[], $12::text[]) as wanted (kind, value)
    join marks m on m.kind = wanted.kind and m.value = wanted.value
    group by m.chain, m.number
    having count(*) = cardinality($11::text[])
)
select e.chain, e.number
from found f
join entries e on e.chain = f.chain and e.number = f.number
join log l on l.chain = f.chain and l.number = f.number
where ($1::text is null or e.chain = $1)
    and ($2::text is null or e.section = $2)
    and ($3::text is null or l.type = $3)
    and ($4::text is null or e.disposition = $4)
    and ($5::text is null or e.outcome = $5)
    and ($6::text is null or l.publisher = $6)
    and ($7::text is null or $7 = any (l.flags))
    and ($8::timestamptz is null or e.recorded_at >= $8)
    and ($9::timestamptz is null or e.recorded_at < $9)
order by e.recorded_at desc, e.chain, e.number desc
limit $10

-- name: show
-- One record by its place, or all editions under a message id.
select l.chain, l.number
from log l
where (l.chain = $1 and l.number = $2) or l.message_id = $3
order by l.recorded_at, l.chain, l.number

-- name: timeline
-- All about one message or retraction: what carries the mark, what belongs to the same retractions,
-- and what has the same first causes. Never over the border of a chain.
with seed as (
    select chain, number
    from marks
    where kind = $2 and value = $3 and ($1::text is null or chain = $1)
),
retraction as (
    select distinct m.chain, m.value
    from seed s
    join marks m on m.chain = s.chain and m.number = s.number and m.kind = 'retraction'
),
related as (
    select chain, number from seed
    union
    select m.chain, m.number
    from retraction r
    join marks m on m.kind = 'retraction' and m.value = r.value and m.chain = r.chain
),
cause as (
    select distinct l.chain, l.correlation_id
    from related r
    join log l on l.chain = r.chain and l.number = r.number
),
found as (
    select chain, number from related
    union
    select l.chain, l.number
    from cause c
    join log l on l.correlation_id = c.correlation_id and l.chain = c.chain
)
select f.chain, f.number
from found f
join log l on l.chain = f.chain and l.number = f.number
order by l.made_at, l.recorded_at, l.chain, l.number
limit $4

-- name: after
-- What each chain has beyond a number that was seen: the next ones, whatever the clock did meanwhile.
select added.chain, added.number
from unnest($1::text[], $2::bigint[]) as seen (chain, number)
cross join lateral (
    select l.chain, l.number, l.recorded_at
    from log l
    where l.chain = seen.chain and l.number > seen.number
    order by l.number
    limit $3
) as added
order by added.recorded_at, added.chain, added.number
