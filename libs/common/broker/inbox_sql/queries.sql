-- name: admit
-- One statement, so that two deliveries at the same time agree on the first. The update changes
-- nothing; it makes the row that was there visible to `returning`.
insert into inbox as known (publisher, message_id, body_sha256)
values ($1, $2, $3)
on conflict (publisher, message_id) do update set body_sha256 = known.body_sha256
returning known.body_sha256 = $3 as is_same

-- name: forget
-- In bounded bites, so that no transaction is long.
delete from inbox
 where ctid = any (array(
    select ctid from inbox where first_seen_at < $1 order by first_seen_at limit $2))
