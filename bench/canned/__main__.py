"""Serves the canned Google until its standard input ends: `python -m bench.canned FOLDER`.

Prints one line of JSON: the addresses with and without TLS. The certificate is left in the folder.
"""

import asyncio
import json
import ssl
import sys
from pathlib import Path

import uvloop

from bench.canned import certificate
from bench.canned.town import Town
from bench.canned.wire import Connection

_TICK_SECONDS = 1.0


async def main(folder: Path) -> None:
    """Serves on two ports of 127.0.0.1."""
    loop, town = asyncio.get_running_loop(), Town()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate.make(folder))
    plain = await loop.create_server(lambda: Connection(town), "127.0.0.1", 0)
    secret = await loop.create_server(lambda: Connection(town), "127.0.0.1", 0, ssl=context)
    ports = [server.sockets[0].getsockname()[1] for server in (plain, secret)]
    print(
        json.dumps({"plain": f"http://127.0.0.1:{ports[0]}/", "secret": f"https://127.0.0.1:{ports[1]}/"}), flush=True
    )

    def tick() -> None:
        town.tick()
        loop.call_later(_TICK_SECONDS, tick)

    tick()
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))
