-- name: find
-- Most reports are new: one look-up by primary key says so before anything is stored.
select
    report_key, tenant, original_sha256, envelope_sha256, listener, peer, tls, tls_version,
    tls_cipher, proof, store_key, sha256, size_bytes, original_offset, received_at, published_at
from report_keys
where report_key = $1;

-- name: enter
-- Two sessions may bring the same report at once: the first one's row stands.
insert into report_keys (
    report_key, tenant, original_sha256, envelope_sha256, listener, peer, tls, tls_version,
    tls_cipher, proof, store_key, sha256, size_bytes, original_offset, received_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
on conflict (report_key) do nothing
returning report_key;

-- name: mark_published
-- The first instant stays. Its own commit waits for no flush: what is lost in a crash is made good
-- by a repetition, which announces the same again.
update report_keys
set published_at = $2
where
    report_key = $1
    and published_at is null
    and (select set_config('synchronous_commit', 'off', true)) is not null;

-- name: remember_tokens
-- At each start, by each replica, in sorted order: most are there already.
insert into known_tokens (token_sha256, first_configured_at)
select token_sha256, $2
from unnest($1::text[]) as configured (token_sha256)
on conflict (token_sha256) do nothing;

-- name: find_token
-- Only for a token that is not in the configuration.
select true from known_tokens where token_sha256 = $1;

-- name: tenants_with_raw_mail
-- From one tenant to the next by the index: a distinct would read an entry for every mail.
with recursive kept (tenant) as (
    select min(tenant) from report_keys where raw_deleted_at is null
    union all
    select (
        select min(later.tenant) from report_keys as later
        where later.raw_deleted_at is null and later.tenant > kept.tenant
    )
    from kept
    where kept.tenant is not null
)
select tenant from kept where tenant is not null;

-- name: raw_mail_before
-- The oldest of one tenant, behind the last one that was given.
select report_key, store_key, received_at from report_keys
where
    raw_deleted_at is null
    and tenant = $1
    and received_at < $2
    and (received_at, report_key) > ($4, $5)
order by received_at, report_key
limit $3;

-- name: raw_mail_of_nobody_before
-- An equality with null finds nothing, and `is not distinct from` uses no index.
select report_key, store_key, received_at from report_keys
where
    raw_deleted_at is null
    and tenant is null
    and received_at < $1
    and (received_at, report_key) > ($3, $4)
order by received_at, report_key
limit $2;

-- name: mark_raw_deleted
-- The row stays: a repetition must find its report announced.
update report_keys set raw_deleted_at = $2
where report_key = any($1::text[]) and raw_deleted_at is null and published_at is not null;

-- name: forget_unpublished
-- Was never announced, and its client never had a 250: if it comes after all, it begins anew.
delete from report_keys where report_key = any($1::text[]) and published_at is null;
