"""A private Postgres: found, started under a safe account, and never left behind."""

from libs.embedded_postgres_server.binaries import Binaries
from libs.embedded_postgres_server.server import Server, serve

__all__ = ["Binaries", "Server", "serve"]
