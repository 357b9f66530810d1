"""What every client of `live.py` is told on its command line, and how it says what it has seen. Needs no package."""

import os
import socket
import sys
from urllib.parse import urlsplit

MODE, WS, REST, KEY, SECRET, CORE = sys.argv[1:7]  # MODE: "order" or "inbound"; WS and REST are base urls
os.sched_setaffinity(0, {int(CORE)})

SYMBOL = "BTCUSDT"
GONE = 60000.1  # a best ask above it is the sign for the end of a burst
PRICE, QTY = "50000.0", "0.001"  # of the order that answers a tick


class Seen:
    """A line to the venue, open from the start."""

    def __init__(self) -> None:
        address = urlsplit(WS)
        self._line = socket.create_connection((address.hostname, address.port))

    def say(self) -> None:
        self._line.sendall(b"SEEN\n")


class Quotes:
    """Counts the best asks it is told, and says when one has moved."""

    def __init__(self) -> None:
        self._seen = Seen()
        self._ask = GONE

    def on_ask(self, ask: float) -> None:
        if ask != self._ask:
            self._ask = ask
            self._seen.say()
