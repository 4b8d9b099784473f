-- The retractor's ledger. Message-IDs and subjects come from senders: text of any length, so
-- indexes are on hashes only.

-- Numbers accepted commands: among equals the higher one wins.
create sequence acceptances;

-- Messages that the journal told of, by message key.
create table messages (
    tenant text not null,
    message_key text not null,
    internet_message_id text,
    message_id_hash text,
    from_address text,
    sent_at timestamptz,
    subject text,
    conversation_index bytea not null default '',
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (tenant, message_key)
);
create index messages_by_message_id on messages (tenant, message_id_hash);

-- Who received them.
create table receipts (
    tenant text not null,
    message_key text not null,
    mailbox text not null,
    role text not null,
    report_key text not null,
    primary key (tenant, message_key, mailbox),
    foreign key (tenant, message_key) references messages on delete cascade
);

-- Accepted commands: retractions and restores, one row each.
create table retractions (
    tenant text not null,
    retraction_id uuid not null,
    kind text not null,
    subject_id uuid not null,
    publisher text not null,
    destination text not null,
    sequence bigint not null,
    automatic boolean not null,
    body_sha256 text not null,
    internet_message_id text,
    message_id_hash text,
    message_key text,
    expected boolean not null,
    from_address text,
    sent_at timestamptz,
    subject text,
    colliding boolean not null,
    depth integer not null,
    dry_run boolean not null,
    named_mailboxes text[],
    reason text not null,
    requested_by text not null,
    status text not null,
    status_reason text,
    round integer not null,
    accepted_at timestamptz not null,
    waiting_until timestamptz,
    standing_until timestamptz,
    unreachable text[] not null default '{}',
    cause_message_id text not null,
    cause_correlation_id text not null,
    cause_publisher text not null,
    cause_timestamp timestamptz not null,
    cause_traceparent text,
    cause_is_message boolean not null,
    primary key (tenant, retraction_id)
);
create index retractions_waiting on retractions (waiting_until) where status = 'waiting';
create index retractions_by_message_id on retractions (tenant, message_id_hash)
    where status = 'waiting';
create index retractions_by_message_key on retractions (tenant, message_key);
create index retractions_by_acceptance on retractions (tenant, accepted_at);

-- One message to be looked for in one mailbox; open while due_at is set.
create table searches (
    tenant text not null,
    retraction_id uuid not null,
    mailbox text not null,
    message_id_hash text not null,
    internet_message_id text not null,
    from_address text,
    sent_at timestamptz,
    subject text,
    depth integer not null,
    matched_by text not null,
    role text not null,
    looks integer not null default 0,
    attempts integer not null default 0,
    due_at timestamptz,
    primary key (tenant, retraction_id, mailbox, message_id_hash),
    foreign key (tenant, retraction_id) references retractions on delete cascade
);
create index searches_open on searches (tenant, mailbox, due_at) where due_at is not null;
create index searches_of_open_retractions on searches (tenant, retraction_id)
    where due_at is not null;

-- One copy that was found, or the place where none was; open while due_at is set.
create table copies (
    tenant text not null,
    retraction_id uuid not null,
    copy_id uuid not null,
    mailbox text not null,
    internet_message_id text,
    depth integer not null,
    matched_by text,
    user_id text,
    graph_message_id text,
    conversation_index bytea not null default '',
    received_at timestamptz,
    folder_before text,
    was_read boolean,
    receipt_requested boolean not null default false,
    categories text[] not null default '{}',
    target_folder text,
    target_is_read boolean,
    progress text not null,
    attempts integer not null default 0,
    folder_after text,
    outcome text,
    reason text,
    due_at timestamptz,
    entered_at timestamptz not null default clock_timestamp(),
    settled_at timestamptz,
    primary key (tenant, retraction_id, copy_id),
    foreign key (tenant, retraction_id) references retractions on delete cascade
);
create index copies_open on copies (tenant, mailbox, due_at) where due_at is not null;
create index copies_of_open_retractions on copies (tenant, retraction_id)
    where due_at is not null;

-- The one desired state of each copy in a mailbox, whoever asked for it.
create table copy_states (
    tenant text not null,
    user_id text not null,
    graph_message_id text not null,
    destination text not null,
    sequence bigint not null,
    automatic boolean not null,
    exempt boolean not null,
    origin_folder text,
    origin_was_read boolean,
    put_into text,
    primary key (tenant, user_id, graph_message_id)
);

-- Mailboxes with work, and who works on them; what is known of them between visits.
create table mailboxes (
    tenant text not null,
    mailbox text not null,
    due_at timestamptz,
    lease_owner uuid,
    lease_until timestamptz,
    user_id text,
    learned_at timestamptz,
    folders jsonb not null default '{}',
    primary key (tenant, mailbox)
);
create index mailboxes_due on mailboxes (due_at) where due_at is not null;

-- Inbox: what each handled message led to, so that a second run announces the same.
create table answers (
    publisher text not null,
    message_id text not null,
    place integer not null,
    key text,
    type text,
    body text,
    handled_at timestamptz not null default clock_timestamp(),
    primary key (publisher, message_id, place)
);

-- Outbox of the workers: written with the effect, published after it.
create table announcements (
    position bigint generated always as identity primary key,
    message_id text not null unique,
    type text not null,
    tenant text,
    body text not null,
    correlation_id text not null,
    causation_id text,
    made_at timestamptz not null,
    app_id text not null,
    traceparent text,
    announced_at timestamptz
);
create index announcements_waiting on announcements (position) where announced_at is null;

-- Mailboxes that automatic retractions touched, by minute.
create table usage (
    tenant text not null,
    minute timestamptz not null,
    mailboxes integer not null,
    primary key (tenant, minute)
);

-- People's commands read the ledger; they change nothing but by message.
grant usage on schema retractor to undeliver_cli;
grant select on retractions, copies, searches, mailboxes to undeliver_cli;
