-- name: lock_subject
-- Handlers of one message take turns, also for a message that has no row yet.
select pg_advisory_xact_lock(hashtextextended($1, 7251))

-- name: record_message
-- The first report tells all there is: later ones of the same message key are equal.
insert into messages (
    tenant, message_key, internet_message_id, message_id_hash, from_address, sent_at, subject,
    conversation_index
) values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict do nothing

-- name: record_receipts
-- A redelivered report, or another part of it, adds what is new.
insert into receipts (tenant, message_key, mailbox, role, report_key)
select $1, $2, mailbox, role, $5
from unnest($3::text[], $4::text[]) as received (mailbox, role)
on conflict do nothing

-- name: messages_with_key
-- One message, exactly.
select tenant, message_key, internet_message_id, from_address, sent_at, subject, conversation_index
from messages where tenant = $1 and message_key = $2

-- name: messages_with_id
-- All that carry a Message-ID: more than one is an accident or an attack.
select tenant, message_key, internet_message_id, from_address, sent_at, subject, conversation_index
from messages where tenant = $1 and message_id_hash = $2 order by message_key limit $3

-- name: messages_received_by
-- Those of them that reached one mailbox, under whichever of its addresses (sub-addresses, too).
select m.tenant, m.message_key, m.internet_message_id, m.from_address, m.sent_at, m.subject,
    m.conversation_index
from messages m
where m.tenant = $1 and m.message_id_hash = $2 and exists (
    select 1 from receipts r
    where r.tenant = m.tenant and r.message_key = m.message_key and (
        r.mailbox = any($3::text[])
        or (strpos(r.mailbox, '+') > 1
            and regexp_replace(r.mailbox, '[+][^@]*@', '@') = any($3::text[]))
    )
)
order by m.message_key limit $4

-- name: receipts
-- Who received these messages.
select message_key, mailbox, role from receipts
where tenant = $1 and message_key = any($2::text[]) order by message_key, mailbox

-- name: next_sequence
-- The number of an accepted command.
select nextval('acceptances')

-- name: get_retraction
-- One command.
select * from retractions where tenant = $1 and retraction_id = $2

-- name: get_retraction_locked
-- One command; whoever else wants to change it waits.
select * from retractions where tenant = $1 and retraction_id = $2 for no key update

-- name: enter_retraction
-- A command as accepted; nothing where its id is taken.
insert into retractions (
    tenant, retraction_id, kind, subject_id, publisher, destination, sequence, automatic,
    body_sha256, internet_message_id, message_id_hash, message_key, expected, from_address,
    sent_at, subject, colliding, depth, dry_run, named_mailboxes, reason, requested_by, status,
    status_reason, round, accepted_at, waiting_until, standing_until, unreachable,
    cause_message_id, cause_correlation_id, cause_publisher, cause_timestamp, cause_traceparent,
    cause_is_message
) values (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
    $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35
)
on conflict do nothing
returning 1

-- name: put_retraction
-- What has become of a command.
update retractions set
    internet_message_id = $3,
    message_id_hash = $4,
    message_key = $5,
    expected = $6,
    from_address = $7,
    sent_at = $8,
    subject = $9,
    colliding = $10,
    status = $11,
    status_reason = $12,
    round = $13,
    waiting_until = $14,
    standing_until = $15,
    unreachable = $16
where tenant = $1 and retraction_id = $2

-- name: waiting_or_standing
-- Retractions that a journal report concerns: those that waited for it, and standing orders.
select * from retractions
where tenant = $1 and kind = 'retract' and (
    (status = 'waiting' and (message_key = $2 or (message_key is null and message_id_hash = $3)))
    or (message_key = $2 and standing_until > $4 and status in ('running', 'finished'))
)
order by sequence for no key update

-- name: overdue
-- Retractions of messages that nobody has told us of in time.
select * from retractions where status = 'waiting' and waiting_until <= $1
order by waiting_until limit $2 for no key update skip locked

-- name: add_searches
-- One search per mailbox and message, however often it is asked for.
insert into searches (
    tenant, retraction_id, mailbox, message_id_hash, internet_message_id, from_address, sent_at,
    subject, depth, matched_by, role, due_at
)
select $1, $2, wanted.mailbox, $3, $4, $5, $6, $7, $8, $9, wanted.role, $12
from unnest($10::text[], $11::text[]) as wanted (mailbox, role)
on conflict do nothing

-- name: put_search
-- What a look has shown; without due_at the search is over, and stays so.
update searches set looks = $5, attempts = $6, throttles = $7, failing_since = $8, due_at = $9
where tenant = $1 and retraction_id = $2 and mailbox = $3 and message_id_hash = $4
    and due_at is not null

-- name: enter_copy
-- A copy as found; a second find changes nothing.
insert into copies (
    tenant, retraction_id, copy_id, mailbox, internet_message_id, depth, matched_by, user_id,
    graph_message_id, conversation_index, received_at, folder_before, was_read, receipt_requested,
    categories, target_folder, target_is_read, progress, folder_after, outcome, reason, due_at
) values (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
    $22
)
on conflict do nothing

-- name: put_copy
-- What has become of a copy, until it is settled.
update copies set folder_before = $4, was_read = $5, progress = $6, folder_after = $7,
    outcome = $8, reason = $9, due_at = $10,
    settled_at = case when $6 = 'settled' then clock_timestamp() end
where tenant = $1 and retraction_id = $2 and copy_id = $3 and progress <> 'settled'

-- name: put_off
-- A failed attempt; whether it has done anything is for the next one to see.
update copies set attempts = $4, throttles = $5, failing_since = $6, due_at = $7
where tenant = $1 and retraction_id = $2 and copy_id = $3 and progress <> 'settled'

-- name: make_due
-- Mailboxes get a visit; sorted, so that two who enter work for the same ones cannot deadlock.
insert into mailboxes (tenant, mailbox, due_at)
select $1, mailbox, $3 from unnest($2::text[]) as wanted (mailbox) order by mailbox
on conflict (tenant, mailbox) do update set due_at = least(mailboxes.due_at, excluded.due_at)

-- name: hasten_searches
-- Called off: nothing of it waits for a later look.
update searches set due_at = $3
where tenant = $1 and retraction_id = $2 and due_at > $3
returning mailbox

-- name: hasten_copies
-- Called off: nothing of it waits for a later attempt.
update copies set due_at = $3
where tenant = $1 and retraction_id = $2 and due_at > $3
returning mailbox

-- name: copies
-- All copies of a retraction.
select * from copies where tenant = $1 and retraction_id = $2 order by depth, mailbox, copy_id

-- name: copy
-- One copy as it is now.
select * from copies where tenant = $1 and retraction_id = $2 and copy_id = $3

-- name: mailboxes_of
-- Where a retraction has been, is, or will be.
select mailbox from searches where tenant = $1 and retraction_id = $2
union
select mailbox from copies where tenant = $1 and retraction_id = $2

-- name: is_open
-- Whether work is left.
select exists (
    select 1 from searches where tenant = $1 and retraction_id = $2 and due_at is not null
) or exists (
    select 1 from copies where tenant = $1 and retraction_id = $2 and due_at is not null
)

-- name: counts
-- How many copies ended how.
select outcome, count(*) as number from copies
where tenant = $1 and retraction_id = $2 and progress = 'settled' group by outcome

-- name: get_copy_state
-- The desired state of a copy; read before every write, and held until that is decided.
select destination, sequence, automatic, exempt, origin_folder, origin_was_read, put_into
from copy_states where tenant = $1 and user_id = $2 and graph_message_id = $3 for update

-- name: put_copy_state
-- The newest wish, or where it has led.
insert into copy_states (
    tenant, user_id, graph_message_id, destination, sequence, automatic, exempt, origin_folder,
    origin_was_read, put_into
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (tenant, user_id, graph_message_id) do update set
    destination = excluded.destination,
    sequence = excluded.sequence,
    automatic = excluded.automatic,
    exempt = excluded.exempt,
    origin_folder = excluded.origin_folder,
    origin_was_read = excluded.origin_was_read,
    put_into = excluded.put_into

-- name: claim_mailboxes
-- One worker per mailbox, in all replicas: a lease, and locked rows are somebody else's already.
with picked as materialized (
    select tenant, mailbox from mailboxes
    where due_at <= $1 and (lease_until is null or lease_until <= $1)
        and (paused_until is null or paused_until <= $1)
    order by due_at limit $3 for update skip locked
)
update mailboxes set lease_owner = gen_random_uuid(), lease_until = $2
from picked
where mailboxes.tenant = picked.tenant and mailboxes.mailbox = picked.mailbox
returning mailboxes.tenant, mailboxes.mailbox, mailboxes.lease_owner

-- name: prolong_lease
-- Still ours? A worker that was away too long must stop.
update mailboxes set lease_until = $4
where tenant = $1 and mailbox = $2 and lease_owner = $3
returning 1

-- name: prolong_leases
-- Visits that take longer than a lease; those that were lost meanwhile stay lost.
update mailboxes set lease_until = $2 where lease_owner = any($1::uuid[])

-- name: recover_leases
-- What a killed process held, when it is known to have been the only one.
update mailboxes set lease_owner = null, lease_until = null where lease_owner is not null

-- name: hasten_put_off
-- A restart may have mended what made attempts fail. Pauses and late looks keep their time.
with unpaused as (
    select tenant, mailbox from mailboxes where paused_until is null or paused_until <= $1
), hastened_searches as (
    update searches set due_at = $1 from unpaused
    where searches.tenant = unpaused.tenant and searches.mailbox = unpaused.mailbox
        and searches.due_at > $1 and searches.attempts > 0
    returning searches.tenant, searches.mailbox
), hastened_copies as (
    update copies set due_at = $1 from unpaused
    where copies.tenant = unpaused.tenant and copies.mailbox = unpaused.mailbox
        and copies.due_at > $1 and copies.attempts > 0
    returning copies.tenant, copies.mailbox
), hastened as (
    select tenant, mailbox from hastened_searches
    union
    select tenant, mailbox from hastened_copies
)
update mailboxes set due_at = least(mailboxes.due_at, $1) from hastened
where mailboxes.tenant = hastened.tenant and mailboxes.mailbox = hastened.mailbox

-- name: due_searches
-- What is to be looked for in a mailbox now.
select s.tenant, s.retraction_id, s.mailbox, s.internet_message_id, s.from_address, s.sent_at,
    s.subject, s.depth, s.matched_by, s.role, s.looks, s.attempts, s.throttles,
    s.failing_since
from searches s
where s.tenant = $1 and s.mailbox = $2 and s.due_at <= $3 order by s.due_at limit $4

-- name: due_copies
-- What is to be moved in a mailbox now.
select * from copies
where tenant = $1 and mailbox = $2 and due_at <= $3 order by due_at limit $4

-- name: lock_mailbox
-- Whoever enters work for the mailbox waits until the next visit is decided (see release).
select 1 from mailboxes where tenant = $1 and mailbox = $2 and lease_owner = $3 for update

-- name: release_mailbox
-- Due again when its next work is, not before the end of a pause.
update mailboxes set lease_owner = null, lease_until = null, paused_until = $4,
due_at = greatest($4, (
    select min(due_at) from (
        select min(due_at) as due_at from searches
        where tenant = $1 and mailbox = $2 and due_at is not null
        union all
        select min(due_at) from copies
        where tenant = $1 and mailbox = $2 and due_at is not null
    ) as open_work
))
where tenant = $1 and mailbox = $2 and lease_owner = $3

-- name: answers_to
-- What a message led to when it was first handled.
select key, type, body from answers where publisher = $1 and message_id = $2 order by place

-- name: remember_answer
-- The inbox row; a message without answers has one that is empty.
insert into answers (publisher, message_id, place, key, type, body) values ($1, $2, $3, $4, $5, $6)

-- name: announce
-- Into the outbox, in the transaction of the effect.
insert into announcements (
    message_id, type, tenant, body, correlation_id, causation_id, made_at, app_id, traceparent
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (message_id) do nothing

-- name: announce_alone
-- One process publishes at a time, in order; the others look again. Ends with its transaction.
select pg_try_advisory_xact_lock(hashtext('undeliver.retractor.announcements'))

-- name: announce_alone_limit
-- A process that stands still while it publishes must not keep the others from it.
set local idle_in_transaction_session_timeout = '30s'

-- name: unannounced
-- What is to be published.
select message_id, type, tenant, body, correlation_id, causation_id, made_at, app_id, traceparent
from announcements where announced_at is null order by position limit $1

-- name: announced
-- Published; a crash before this publishes it again, under the same id.
update announcements set announced_at = clock_timestamp()
where message_id = any($1::text[]) and announced_at is null

-- name: forget_announcements
-- What everybody has been told long ago.
delete from announcements where position in (
    select position from announcements where announced_at < $1 limit 5000
)

-- name: forget_answers
-- A redelivery comes within days; the retractions themselves stay.
delete from answers where (publisher, message_id, place) in (
    select publisher, message_id, place from answers where handled_at < $1 limit 5000
)

-- name: forget_usage
-- Only the last hour counts.
delete from usage where (tenant, minute) in (
    select tenant, minute from usage where minute < $1 limit 5000
)

-- name: lock_usage
-- Automatic retractions of a tenant count one after the other.
select pg_advisory_xact_lock(hashtextextended($1, 7252))

-- name: usage_of_last_hour
-- What the limit per hour is compared with.
select coalesce(sum(mailboxes), 0) from usage where tenant = $1 and minute > $2

-- name: count_usage
-- By minute, so that the hour slides.
insert into usage (tenant, minute, mailboxes) values ($1, date_trunc('minute', $2::timestamptz), $3)
on conflict (tenant, minute) do update set mailboxes = usage.mailboxes + excluded.mailboxes

-- name: known_user
-- Who is behind an address, if that was learned recently.
select user_id from mailboxes where tenant = $1 and mailbox = $2 and learned_at >= $3

-- name: known_folders
-- Ids of well-known folders never change.
select folders from mailboxes where tenant = $1 and mailbox = $2

-- name: learn_mailbox
-- What a visit has taught; another user behind the address has other folders.
insert into mailboxes (tenant, mailbox, user_id, learned_at, folders) values ($1, $2, $3, $4, $5)
on conflict (tenant, mailbox) do update set
    folders = case when mailboxes.user_id = excluded.user_id then mailboxes.folders || excluded.folders
        else excluded.folders end,
    user_id = excluded.user_id,
    learned_at = excluded.learned_at

-- name: list_retractions
-- For people: the newest first.
select r.tenant, r.retraction_id, r.kind, r.subject_id, r.status, r.status_reason as reason_code,
    r.destination, r.internet_message_id, r.publisher, r.requested_by, r.reason, r.accepted_at,
    (select count(*) from copies c
     where c.tenant = r.tenant and c.retraction_id = r.retraction_id) as copies
from retractions r
where ($1::text is null or r.tenant = $1) and ($2::text is null or r.status = $2)
order by r.accepted_at desc, r.sequence desc limit $3

-- name: show_retraction
-- For people: one command and what became of it.
select tenant, retraction_id, kind, subject_id, status, status_reason as reason_code, destination,
    internet_message_id, message_key, depth, dry_run, round, publisher, automatic, requested_by,
    reason, accepted_at, waiting_until, standing_until, unreachable
from retractions where retraction_id = $1 and ($2::text is null or tenant = $2)
order by accepted_at limit 1

-- name: show_copies
-- For people: folders by the names that are the same in every mailbox.
select c.copy_id, c.mailbox, c.internet_message_id, c.depth, c.matched_by,
    coalesce(before.name, c.folder_before) as folder_before,
    coalesce(after.name, c.folder_after) as folder_after,
    c.was_read, c.progress, c.outcome, c.reason, c.settled_at
from copies c
left join mailboxes m on m.tenant = c.tenant and m.mailbox = c.mailbox
left join lateral (
    select key as name from jsonb_each_text(m.folders) where value = c.folder_before limit 1
) as before on true
left join lateral (
    select key as name from jsonb_each_text(m.folders) where value = c.folder_after limit 1
) as after on true
where c.retraction_id = $1 and ($2::text is null or c.tenant = $2)
order by c.depth, c.mailbox, c.copy_id
