-- name: book_state
-- The database's own clock: one for all replicas.
select statement_timestamp() as now, not exists (select from report_keys) as is_empty;

-- name: unswept_days
-- In the order given.
select given.day
from unnest($1::text[]) with ordinality as given (day, place)
where not exists (select from swept_days where swept_days.day = given.day)
order by given.place;

-- name: unknown_blobs
-- An entry whose mail was deleted names none.
select given.store_key
from unnest($1::text[]) as given (store_key)
where not exists (
    select from report_keys
    where report_keys.store_key = given.store_key and report_keys.raw_deleted_at is null
);

-- name: mark_swept
-- Another replica may have been faster.
insert into swept_days (day)
select day from unnest($1::text[]) as given (day)
on conflict (day) do nothing;
