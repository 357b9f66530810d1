"""The recorder: takes frames on the thread that receives them, and has another thread pack and write them.

Taking a frame appends it to a queue, no more. Every quarter of a second the other thread empties the queues,
makes a member of each, and writes it: what a killed recorder loses is what came after that. Queues are
bounded: where the disk cannot follow, frames are dropped, and the recording says so.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

from mlthon.errors import TapeError
from mlthon.instruments.instrument import Instrument
from mlthon.tape.frame_parts import PartWriter, RotationLimits
from mlthon.tape.raw_frames import CONTROL, FRAME, FramesHeader, encode_record

__all__ = ["ConnectionTap", "Recorder", "Track"]

FLUSH_S = 0.25
MOST_WAITING_BYTES = 64 * 2**20
MEMBER_BYTES = 2**20  # of records in one member, or a few more

Waiting = tuple[int, int, bytes, bytes]


class Track:
    """The recording of one instrument: what is waiting for it, and what has been written.

    `dropped` is counted by the thread that takes frames, everything else that is counted by the one that writes.
    """

    __slots__ = (
        "_taken_bytes",
        "_untold",
        "_written_bytes",
        "dropped",
        "frames",
        "instrument",
        "latest",
        "parts",
        "raw_bytes",
        "waiting",
    )

    def __init__(self, instrument: Instrument, parts: PartWriter) -> None:
        self.instrument = instrument
        self.parts = parts
        self.frames = 0
        self.raw_bytes = 0  # of its frames
        self.dropped = 0
        self.latest: tuple[int, bytes] | None = None  # when the last frame came, and what it was
        self.waiting: deque[Waiting] = deque()
        self._taken_bytes = 0  # of all records; what is not written of them is waiting
        self._written_bytes = 0
        self._untold = 0  # dropped, and not yet said so in the recording

    def take(self, recv_ns: int, connection: int, kind: bytes, data: bytes) -> None:
        """Queue a record, or drop it when too much is waiting."""
        if self._taken_bytes - self._written_bytes > MOST_WAITING_BYTES:
            self.dropped += 1
            self._untold += 1
            return
        if self._untold:
            lost = orjson.dumps({"event": "dropped", "frames": self._untold})
            self._untold = 0
            self.take(recv_ns, connection, CONTROL, lost)
        self.waiting.append((recv_ns, connection, kind, data))
        self._taken_bytes += len(data)

    def write(self) -> None:
        """Write all that is waiting; called by the writer's thread. Raises TapeError."""
        while self.waiting:
            lines, size = [], 0
            while self.waiting and size < MEMBER_BYTES:
                recv_ns, connection, kind, data = self.waiting.popleft()
                lines.append(encode_record(recv_ns, connection, kind, data))
                size += len(data)
                if kind is FRAME:
                    self.frames += 1
                    self.raw_bytes += len(data)
                    self.latest = (recv_ns, data)
            self.parts.append(b"".join(lines))
            self._written_bytes += size


class ConnectionTap:
    """What one connection tells the recorder. Implements `mlthon.exchanges.tap.StreamTap`.

    A frame goes to the track whose topic it names, one that names none of them to all tracks of the
    connection.
    """

    __slots__ = (
        "_by_symbol",
        "_by_topic",
        "_connected_ns",
        "_track_of",
        "books_lost",
        "disconnects",
        "name",
        "number",
    )

    def __init__(self, number: int, name: str, track_of: Callable[[int], Track | None]) -> None:
        self.number = number
        self.name = name
        self.disconnects = 0
        self.books_lost = 0
        self._track_of = track_of
        self._connected_ns: int | None = None  # since when the connection stands
        self._by_symbol: dict[str, Track] = {}
        self._by_topic: dict[bytes, Track | None] = {}

    def on_subscribed(self, instrument: Instrument) -> None:
        """The connection carries an instrument from now on."""
        track = self._track_of(instrument.get_instrument_id())
        symbol = instrument.get_exch_instr_id()
        if track is None or symbol in self._by_symbol:
            return
        self._by_symbol[symbol] = track
        if self._connected_ns is not None:
            self._tell([track], self._connected_ns, "connected", connection=self.name)

    def on_connected(self, now_ns: int) -> None:
        """The connection stands."""
        self._connected_ns = now_ns
        self._tell(self._by_symbol.values(), now_ns, "connected", connection=self.name)

    def on_frame(self, data: bytes, recv_ns: int) -> None:
        """A frame has been received."""
        if data[:10] == b'{"topic":"':
            topic = data[10 : data.find(b'"', 10)]
            try:
                track = self._by_topic[topic]
            except KeyError:
                track = self._find(topic)
        else:
            track = self._find(topic_in(data))
        if track is not None:
            track.take(recv_ns, self.number, FRAME, data)
            return
        for each in self._by_symbol.values():
            each.take(recv_ns, self.number, FRAME, data)

    def on_book_lost(self, instrument_id: int, reason: str, now_ns: int) -> None:
        """A book is not to be trusted until its next snapshot."""
        self.books_lost += 1
        track = self._track_of(instrument_id)
        if track is not None:
            self._tell([track], now_ns, "book_lost", reason=reason)

    def on_disconnected(self, reason: str, now_ns: int) -> None:
        """The connection is gone, and with it the books of all its instruments."""
        self.disconnects += 1
        self._connected_ns = None
        self._tell(self._by_symbol.values(), now_ns, "disconnected", connection=self.name, reason=reason)

    def _find(self, topic: bytes) -> Track | None:
        """The track of a topic; None: of all."""
        track = self._by_symbol.get(topic.rpartition(b".")[2].decode(errors="replace"))
        if track is not None:  # what nobody subscribed to is not remembered: there is no end to it
            self._by_topic[topic] = track
        return track

    def _tell(self, tracks: Iterable[Track], now_ns: int, event: str, **details: Any) -> None:
        data = orjson.dumps({"event": event, **details})
        for track in tracks:
            track.take(now_ns, self.number, CONTROL, data)


class Recorder:
    """Records instruments into folders below ``folder``, one each. Implements `mlthon.exchanges.tap.MarketTap`.

    `protocol` and `source` say what frames there will be, and from where. `on_failure` is called once, on the
    writer's thread, when nothing can be written any more; `close` raises the same error. Call `add` before an
    instrument is subscribed to.
    """

    def __init__(
        self,
        folder: Path,
        *,
        protocol: str,
        source: str,
        now_ns: Callable[[], int],
        on_failure: Callable[[TapeError], None],
        limits: RotationLimits | None = None,
        tickers: bool = True,
    ) -> None:
        self.folder = folder
        self.tickers = tickers
        self.tracks: list[Track] = []
        self._protocol = protocol
        self._source = source
        self._now_ns = now_ns
        self._session_ns = now_ns()
        self._limits = limits or RotationLimits()
        self._on_failure = on_failure
        self._by_id: dict[int, Track] = {}
        self._taps: list[ConnectionTap] = []
        self._stopping = threading.Event()
        self._failure: TapeError | None = None
        self._thread: threading.Thread | None = None

    @property
    def disconnects(self) -> int:
        """How many connections were lost."""
        return sum(tap.disconnects for tap in self._taps)

    @property
    def books_lost(self) -> int:
        """How many times a book had to be fetched anew on a connection that stood."""
        return sum(tap.books_lost for tap in self._taps)

    def add(self, instrument: Instrument) -> Track:
        """Begin the recording of an instrument; raises ConfigError or TapeError when its folder cannot be used."""

        def header(part: int) -> FramesHeader:
            connections = tuple(tap.name for tap in self._taps)
            return FramesHeader(self._protocol, self._source, self._session_ns, part, instrument, connections)

        folder = self.folder / instrument.get_instrument_name().replace(":", "-")
        track = Track(instrument, PartWriter(folder, self._limits, self._now_ns, header))
        self._by_id[instrument.get_instrument_id()] = track
        self.tracks.append(track)
        return track

    def tap(self, connection: str) -> ConnectionTap:
        """What a connection of this name is to tell."""
        tap = ConnectionTap(len(self._taps), connection, self._by_id.get)
        self._taps.append(tap)
        return tap

    def start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is waiting, end the recording, and stop; raises TapeError when anything could not be written."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        for track in self.tracks:
            if self._failure is not None:
                track.parts.abandon()
                continue
            try:
                track.write()
                track.parts.close()
            except TapeError as error:
                self._failure = error
        if self._failure is not None:
            raise self._failure

    def _write(self) -> None:
        """What the writer's thread does."""
        try:
            while not self._stopping.wait(FLUSH_S):
                for track in self.tracks:
                    track.write()
        except TapeError as error:
            self._failure = error
            self._on_failure(error)


def topic_in(data: bytes) -> bytes:
    """The topic of a frame that does not begin with it; empty where there is none."""
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        return b""
    topic = message.get("topic") if isinstance(message, dict) else None
    return topic.encode(errors="replace") if isinstance(topic, str) else b""
