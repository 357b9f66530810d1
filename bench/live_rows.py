"""The rows of `live.py`'s table: clients of several makers beside each other, in turns, against one venue.

Run by `live.py`, in MLThon's environment. All clients are started before the first is timed, each in its own
environment, all on one processor; the venue has another. A client waits while another one is timed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop
from live_venue import Client, Stream
from rich.console import Console
from rich.table import Table

from mlthon._core import buildinfo
from mlthon.basics.qty import Qty
from mlthon.engine.clock import LiveClock
from mlthon.sim.exchange import SimExchange
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.venues.bybit import BybitVenue

CLIENTS = Path(__file__).resolve().parent / "live_clients"
KEY, SECRET = "bench-key", "bench-secret"
OURS, FLOOR = "mlthon", "aiohttp"
START_WITHIN_S = 60.0
WARM_UP = 50  # ticks of each client before the first is counted
TURNS, TICKS = 20, 50  # ticks are timed in turns of this many
BURSTS = 9  # of each client
SMALL, LARGE = 1, 20  # levels that an inbound frame changes


@dataclass(frozen=True, slots=True)
class Peer:
    """A client: its name, its script, and the ratio ours is allowed beside it."""

    name: str
    script: str
    at_most: float | None = None  # tick to order: ours over theirs
    at_least: float | None = None  # inbound: ours over theirs
    burst: int = 20_000  # frames; fewer for the slow


ORDERING = (
    Peer(FLOOR, "bare_aiohttp.py", at_most=1.15),
    Peer(OURS, "mlthon_client.py"),
    Peer("pybit", "pybit_client.py", at_most=0.65),
    Peer("ccxt", "ccxt_client.py", at_most=0.5),
    Peer("nautilus_trader", "nautilus_client.py", at_most=0.22),
)
INBOUND = (
    Peer(FLOOR, "bare_aiohttp.py", at_least=1.0),
    Peer(OURS, "mlthon_client.py"),
    Peer("pybit", "pybit_client.py", at_least=20.0, burst=1_000),
    Peer("cryptofeed", "cryptofeed_client.py", at_least=4.0, burst=5_000),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One client beside ours."""

    what: str
    client: str
    median: float  # microseconds, or frames a second
    ratio: float | None  # ours over theirs
    limit: float | None
    is_met: bool | None


def main() -> int:
    options = parse_arguments()
    if buildinfo.MODE != "release":
        sys.exit(f"live: expected a release build of the core, got {buildinfo.MODE}")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("live: expected two processors, one for the venue and one for the clients, got one")
    os.sched_setaffinity(0, {cores[0]})
    rows = uvloop.run(measure(json.loads(options.pythons), cores[1]))
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        print_table(rows)
    return 0 if all(row.is_met is not False for row in rows) else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pythons", required=True, help="JSON: each client's Python")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


async def measure(pythons: dict[str, str], core: int) -> list[Row]:
    clock = LiveClock()
    exchange = SimExchange([SyntheticMarket(seed=1).instrument], clock.now_ns)
    account = exchange.add_account("bench", {"USDT": Qty("1000000")})
    venue = BybitVenue(exchange, clock.now_ns, api_keys={KEY: (SECRET, account)}, rate_scale=1_000)
    rest = (await venue.start()).rest
    try:
        peers = [peer for peer in ORDERING if peer.name in pythons]
        async with Clients(pythons, "order", rest, core) as clients:
            latencies = await tick_to_order(await clients.start(peers))
        rows = compare("tick to order, us", peers, latencies)
        peers = [peer for peer in INBOUND if peer.name in pythons]
        async with Clients(pythons, "inbound", rest, core) as clients:
            started = await clients.start(peers)
            for what, changes in (("small", SMALL), ("large", LARGE)):
                rows += compare(f"inbound frames a second, {what}", peers, await inbound(started, changes))
    finally:
        await venue.close()
    return rows


async def tick_to_order(clients: Sequence[Client]) -> dict[str, float]:
    """Microseconds from a frame to the order that answers it: medians, the clients taking turns."""
    samples: dict[str, list[int]] = {client.name: [] for client in clients}
    for client in clients:
        for _ in range(WARM_UP):
            await client.tick_to_order()
    for turn in range(TURNS):
        for client in clients if turn % 2 == 0 else clients[::-1]:
            await client.tick_to_order()  # wakes it up
            samples[client.name] += [await client.tick_to_order() for _ in range(TICKS)]
    return {name: statistics.median(sample) / 1_000 for name, sample in samples.items()}


async def inbound(clients: Sequence[Client], changes: int) -> dict[str, float]:
    """Frames a second until the callback has seen them: medians, the clients taking turns."""
    samples: dict[str, list[float]] = {client.name: [] for client in clients}
    for turn in range(BURSTS + 1):
        for client in clients if turn % 2 == 0 else clients[::-1]:
            rate = await client.inbound(changes)
            if turn:  # the first is for warming up
                samples[client.name].append(rate)
    return {name: statistics.median(sample) for name, sample in samples.items()}


def compare(what: str, peers: Sequence[Peer], medians: dict[str, float]) -> list[Row]:
    rows = []
    for peer in peers:
        ratio = limit = is_met = None
        if peer.name != OURS:
            ratio = medians[OURS] / medians[peer.name]
            limit = peer.at_most or peer.at_least
            is_met = None if limit is None else (ratio <= limit if peer.at_most else ratio >= limit)
        rows.append(Row(what, peer.name, medians[peer.name], ratio, limit, is_met))
    return rows


class Clients(AsyncExitStack):
    """The processes of one measurement, and the ports that they connect to; both end with it."""

    def __init__(self, pythons: dict[str, str], mode: str, rest: str, core: int) -> None:
        super().__init__()
        self._pythons = pythons
        self._mode = mode
        self._rest = rest
        self._core = core

    async def start(self, peers: Sequence[Peer]) -> list[Client]:
        return [await self._start(peer) for peer in peers]

    async def _start(self, peer: Peer) -> Client:
        client = Client(peer.name, peer.burst)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Stream(client), "127.0.0.1", 0)
        self.callback(server.close)
        ws = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - ours until the exit; shown only where it explains
        self.enter_context(log)
        process = await asyncio.create_subprocess_exec(
            self._pythons[peer.name],
            str(CLIENTS / peer.script),
            *(self._mode, ws, self._rest, KEY, SECRET, str(self._core)),
            stdout=log,
            stderr=log,
        )
        self.push_async_callback(process.wait)
        self.callback(process.terminate)
        ready = [client.subscribed.wait()] + ([client.can_trade.wait()] if self._mode == "order" else [])
        try:
            await asyncio.wait_for(asyncio.gather(*ready), START_WITHIN_S)
        except TimeoutError:
            log.seek(0)
            sys.exit(f"{log.read()}\nlive: {peer.name} was not ready within {START_WITHIN_S:g} s")
        await asyncio.sleep(1.0)  # whatever it still does at its start
        return client


def print_table(rows: Sequence[Row]) -> None:
    table = Table(title=f"MLThon beside its peers, live, CPython {platform.python_version()}")
    for heading in ("what", "client", "median", "ours / theirs", "limit", "met"):
        table.add_column(heading, justify="left" if heading in ("what", "client") else "right")
    for row in rows:
        met = "" if row.is_met is None else "yes" if row.is_met else "no"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(row.what, row.client, f"{row.median:,.0f}", ratio, str(row.limit or ""), met)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
