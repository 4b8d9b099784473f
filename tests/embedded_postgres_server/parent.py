"""A process to be killed: runs a server, writes a row, says so, waits for its end."""

import asyncio
import sys
from pathlib import Path

import asyncpg

from libs.embedded_postgres_server import serve


async def main(data_folder: Path, programs: Path) -> None:
    async with serve(data_folder, binaries=programs) as server:
        connection = await asyncpg.connect(server.dsn())
        await connection.execute("create table notes as select 'kept' as note")
        sys.stdout.write(f"{server.pid}\n")
        sys.stdout.flush()
        await connection.execute("select pg_sleep(3600)")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
