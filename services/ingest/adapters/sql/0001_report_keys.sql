-- The book of reports that were accepted: a re-sent one is found here, and announced at most once
-- more under the same ids.
create table report_keys (
    -- The tenant enters the key.
    report_key text primary key,
    tenant text,
    -- What another report under the same key would differ in.
    original_sha256 text not null,
    envelope_sha256 text not null,
    -- The first arrival: repetitions announce these, so that one id never has two bodies.
    listener text not null,
    peer text not null,
    tls boolean not null,
    proof text not null,
    store_key text not null,
    sha256 text not null,
    size_bytes bigint not null,
    original_offset bigint not null,
    received_at timestamptz not null,
    -- Null: perhaps not announced yet.
    published_at timestamptz
);
