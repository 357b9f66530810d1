"""Messages to try the scanner on: as venues write them, as they might, and spoilt; and the slow reading of each.

Everything is drawn from one seeded generator, so that a run can be repeated.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from typing import Any, TypeAlias

from mlthon._core.bybit_frames import FrameScanner
from mlthon.errors import DecodeError
from mlthon.exchanges.bybit.codec.public import BookFrame, TradesFrame, decode_public

__all__ = ["BOOK_TOPIC", "RECV_NS", "TRADES_TOPIC", "Inputs", "disagreement", "make_scanner"]

BOOK_TOPIC = "orderbook.50.BTCUSDT"
TRADES_TOPIC = "publicTrade.BTCUSDT"
RECV_NS = 1_700_000_000_000_000_500

# A JSON text with its members in order, so that a key may stand twice: bytes are written as they are.
Node: TypeAlias = Any  # bytes | list[Node] | list[tuple[bytes, Node]]

_SPACES = [b" ", b"\n", b"\r\n", b"\t", b"  \t "]
_BYTES = b'"\\{}[],:0123456789.-+eEtfn \t\x00\x1f\x7f\x80\xc3\xff'
_PIECES = [
    *(b'"u":8,', b'"b":[],', b'"a":[["1","1"]],', b'"data":{},', b'"ts":1,', b'"s":"BTCUSDT",', b'"p":"1",'),
    *(b"\\u0062", b"\\ud800", b'\\"', b"\\", b"\xc3\xa9", b"\xe2\x82\xbf", b"\xff", b"\xed\xa0\x80", b"\x00"),
    *(b"null", b"true", b"[[", b"]]", b"{}", b"[]", b"1e5", b"-0", b"00", b"0", b"9" * 20, b",", b'"', b":"),
    *(b" ", b"\t", b"\x0b", b"\x0c", b"\xc2\xa0", b"\xef\xbb\xbf", b"[" * 70 + b"]" * 70),
]
_SCALARS = [
    *(b"null", b"true", b"false", b"0", b"-0", b"-1", b"00", b"1.0", b"1.", b".5", b"1e3", b"1E+3", b"1e999"),
    *(b'""', b'"x"', b'"\\u0062"', b'"\xc3\xa9"', b'"\xff"', b'"\x01"', b'"\\x"', b'"\\ud800"', b'"\x7f"'),
    *(b"9000000000000", b"9000000000001", b"999999999999999999", b"9223372036854775807"),
    *(b"9223372036854775808", b"18446744073709551616", b"1" * 400, b"0." + b"1" * 40, b"tru", b"nul", b"+1"),
    *(
        b'"5"',
        b'"-5"',
        b'"9000000000001"',
        b'"9223372036854775807"',
        b'"delta"',
        b'"snapshot"',
        b'"Buy"',
        b'"Sell"',
    ),
]


def make_scanner() -> FrameScanner:
    """A scanner that knows both topics; the owner is the topic's name."""
    scanner = FrameScanner()
    for topic in (BOOK_TOPIC, TRADES_TOPIC):
        scanner.add(topic, topic)
    return scanner


def disagreement(scanner: FrameScanner, data: bytes) -> str | None:
    """How the scanner reads a message otherwise than the full decoder does; None where they agree.

    A message that the scanner leaves alone is read by the full decoder, so there is nothing to compare.
    """
    scanner.scan(data, RECV_NS)
    try:
        frame = decode_public(data, RECV_NS)
    except DecodeError as error:
        return None if scanner.owner is None else f"taken as {scanner.owner}, but: {error}"
    if scanner.owner is None:
        return None
    if isinstance(frame, BookFrame):
        theirs: object = (frame.topic, frame.update_id, frame.sent_ms, frame.update, None)
        ours: object = (scanner.owner, scanner.update_id, scanner.sent_ms, scanner.update, scanner.trades)
    elif isinstance(frame, TradesFrame):
        theirs = (frame.topic, frame.sent_ms, frame.trades, None)
        ours = (scanner.owner, scanner.sent_ms, scanner.trades, scanner.update)
    else:
        theirs, ours = frame, scanner.owner
    return None if ours == theirs else f"expected {theirs}, got {ours}"


class Inputs:
    """An endless supply of messages, good and bad. `recorded` ones are spoilt too."""

    def __init__(self, seed: int | str, recorded: Sequence[bytes] = ()) -> None:
        self._rng = random.Random(seed)
        self._recorded = recorded

    def plain(self) -> bytes:
        """A message that the scanner has to take: any order of keys, any space, unknown members."""
        message = self._book() if self._chance(0.6) else self._trades()
        self._add_unknown(message)
        return self._write(self._shuffled(message), spaced=self._chance(0.5))

    def any(self) -> bytes:
        """A message of any kind; most are wrong somewhere."""
        way = self._rng.random()
        if way < 0.15:
            return self.plain()
        if way < 0.3 and self._recorded:
            return self._spoilt_bytes(self._rng.choice(self._recorded))
        if way < 0.5:
            return self._spoilt_bytes(self.plain())
        message = self._book(odd=0.2) if self._chance(0.6) else self._trades(odd=0.2)
        for _ in range(self._rng.randint(0, 2)):
            self._spoil(message)
        return self._write(
            self._shuffled(message) if self._chance(0.3) else message, spaced=self._chance(0.2)
        )

    # -- good messages ---------------------------------------------------------------------------------------

    def _book(self, odd: float = 0.0) -> list[tuple[bytes, Node]]:
        bids, asks = ([self._level(odd) for _ in range(self._rng.choice((0, 1, 2, 5)))] for _ in range(2))
        data: list[tuple[bytes, Node]] = [
            (b"s", b'"BTCUSDT"'),
            (b"b", bids),
            (b"a", asks),
            (
                b"u",
                str(self._rng.choice((0, 1, 2, 20_254_870, 10**18 - 1, self._rng.getrandbits(40)))).encode(),
            ),
            (b"seq", str(self._rng.getrandbits(self._rng.randint(1, 59))).encode()),
        ]
        message: list[tuple[bytes, Node]] = [
            (b"topic", f'"{BOOK_TOPIC}"'.encode()),
            (b"type", self._rng.choice((b'"delta"', b'"snapshot"'))),
            (b"ts", self._stamp()),
            (b"data", data),
        ]
        if self._chance(0.8):
            message.append((b"cts", self._stamp()))
        return message

    def _trades(self, odd: float = 0.0) -> list[tuple[bytes, Node]]:
        rows: list[Node] = [self._trade(odd) for _ in range(self._rng.choice((0, 1, 3)))]
        return [
            (b"topic", f'"{TRADES_TOPIC}"'.encode()),
            (b"type", b'"snapshot"'),
            (b"ts", self._stamp()),
            (b"data", rows),
        ]

    def _trade(self, odd: float) -> Node:
        members: list[tuple[bytes, Node]] = [
            (b"T", self._stamp()),
            (b"s", b'"BTCUSDT"'),
            (b"S", self._rng.choice((b'"Buy"', b'"Sell"'))),
            (b"v", self._decimal(odd)),
            (b"p", self._decimal(odd)),
            (b"L", b'"PlusTick"'),
            (b"BT", b"false"),
        ]
        if self._chance(0.8):
            members.insert(
                5, (b"i", self._rng.choice((b'"9dc75fca-4bdd-4773"', b'""', b'"2290000000007764263"')))
            )
        return members

    def _level(self, odd: float) -> Node:
        qty = b'"0"' if self._chance(0.3) else self._decimal(odd)
        return [self._decimal(odd), qty]

    def _decimal(self, odd: float) -> bytes:
        """A quoted number above zero of at most 19 digits, or something that looks like one."""
        if self._rng.random() < odd:
            alphabet = self._rng.choice(("0123456789.", "09.", "01.-+eE ", "0"))
            return f'"{"".join(self._rng.choices(alphabet, k=self._rng.randint(0, 24)))}"'.encode()
        whole = self._rng.randint(0, 10)
        decimals = self._rng.randint(0 if whole else 1, 9)
        digits = "".join(self._rng.choices("0123456789", k=whole + decimals - 1)) + self._rng.choice(
            "123456789"
        )
        point = "." if decimals or self._chance(0.05) else ""
        return f'"{digits[:whole]}{point}{digits[whole:]}"'.encode()

    def _stamp(self) -> bytes:
        return str(
            self._rng.choice((0, 9, 1_733_011_200_691, 9 * 10**12, self._rng.randrange(9 * 10**12)))
        ).encode()

    # -- ways to write and to spoil them ---------------------------------------------------------------------

    def _chance(self, odds: float) -> bool:
        return self._rng.random() < odds

    def _write(self, node: Node, spaced: bool) -> bytes:
        if isinstance(node, bytes):
            return node
        gap = functools.partial(self._gap, spaced)
        is_object = bool(node) and isinstance(node[0], tuple)
        parts = []
        for item in node:
            name = gap() + b'"' + item[0] + b'"' + gap() + b":" if is_object else b""
            value = item[1] if is_object else item
            parts.append(name + gap() + self._write(value, spaced) + gap())
        inside = b",".join(parts) or gap()
        return gap() + (b"{%s}" if is_object else b"[%s]") % inside + gap()

    def _gap(self, spaced: bool) -> bytes:
        return self._rng.choice(_SPACES) if spaced and self._chance(0.3) else b""

    def _shuffled(self, node: Node) -> Node:
        """The same with the members of every object in another order."""
        if isinstance(node, bytes) or not node:
            return node
        if isinstance(node[0], tuple):
            members = [(key, self._shuffled(value)) for key, value in node]
            return self._rng.sample(members, len(members))
        return [self._shuffled(item) for item in node]

    def _objects(self, node: Node) -> list[list[tuple[bytes, Node]]]:
        if isinstance(node, bytes) or not node:
            return []
        if isinstance(node[0], tuple):
            children = [value for _, value in node]
            return [node, *(found for child in children for found in self._objects(child))]
        return [found for child in node for found in self._objects(child)]

    def _add_unknown(self, message: list[tuple[bytes, Node]]) -> None:
        for members in self._objects(message):
            for _ in range(self._rng.choice((0, 0, 1, 3))):
                key = self._rng.choice(
                    (b"", b"z", b"id", b"RPI", b"topics", b"creationTime", b"tickDirection", b"us")
                )
                members.append((key, self._plain_value(3)))

    def _plain_value(self, depth: int) -> Node:
        kind = self._rng.randrange(8 if depth else 5)
        if kind < 5:
            return self._rng.choice(
                (b"null", b"true", b"false", b"-0.25", b"7", b'"}],\x7f{["', b'""', b"[]", b"{}")
            )
        children = [self._plain_value(depth - 1) for _ in range(self._rng.randint(1, 3))]
        if kind == 5:
            return children
        return [(self._rng.choice((b"b", b"data", b"quite a long key")), child) for child in children]

    def _spoil(self, message: list[tuple[bytes, Node]]) -> None:
        """Change one member of one object, leaving the brackets and commas right."""
        members = self._rng.choice(self._objects(message))
        at = self._rng.randrange(len(members))
        key, value = members[at]
        way = self._rng.randrange(6)
        if way == 0 and len(members) > 1:
            del members[at]
        elif way == 1:
            members.append((key, value if self._chance(0.5) else self._rng.choice(_SCALARS)))
        elif way == 2:
            members.insert(at, (key, self._rng.choice(_SCALARS)))
        elif way == 3:
            members[at] = (key, self._rng.choice(_SCALARS))
        elif way == 4:
            members[at] = (b"\\u%04x" % key[0] + key[1:] if key else b"\\", value)
        else:
            members[at] = (key, self._plain_value(2))

    def _spoilt_bytes(self, data: bytes) -> bytes:
        """Change bytes anywhere: replaced, removed, repeated, put in, cut off."""
        spoilt = bytearray(data)
        for _ in range(self._rng.choice((1, 1, 1, 2, 4))):
            at = self._rng.randrange(len(spoilt) + 1)
            way = self._rng.randrange(6)
            if way == 0 and at < len(spoilt):
                spoilt[at] = self._rng.choice(_BYTES)
            elif way == 1:
                del spoilt[at : at + self._rng.randint(1, 8)]
            elif way == 2:
                spoilt[at:at] = spoilt[at : at + self._rng.randint(1, 40)]
            elif way == 3:
                spoilt[at:at] = self._rng.choice(_PIECES)
            elif way == 4:
                spoilt[at:at] = self._rng.choice(_SPACES)
            elif self._chance(0.3):
                del spoilt[at:]
        return bytes(spoilt)
