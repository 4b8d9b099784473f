"""All services in one process, on a private Postgres and a local folder."""
