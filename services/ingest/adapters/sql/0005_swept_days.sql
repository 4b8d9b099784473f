-- Days of the blob store under which nothing lies but what the book names: not looked at again.
-- 365 rows a year for a tenant.
create table swept_days (
    -- `<tenant or ->/<yyyy>/<mm>/<dd>`
    day text primary key,
    swept_at timestamptz not null default clock_timestamp()
);

-- Which blobs an entry names is asked for a thousand at once. A hash is a third of the size, and
-- nobody asks for ranges.
create index report_keys_stored on report_keys using hash (store_key) where raw_deleted_at is null;
