-- Every journal token that was ever configured here, so that one which no longer is gets a 451: its
-- journal rule may still stand. Hashes, since a token is as good as a password.
create table known_tokens (
    token_sha256 text primary key,
    first_configured_at timestamptz not null
);
