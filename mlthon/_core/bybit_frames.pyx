"""Bybit v5 order book and public trade messages, from bytes straight to fixed point.

What machines write is read in one pass, without an object on the way. Whatever else a message may hold (escapes,
characters beyond ASCII, a key twice, an exponent, a wrong type, another topic) is not judged here: `scan` leaves it
to a parser that knows all of JSON. So what is taken here must be read as that parser would read it, and what is not
taken is no error yet.

Invariants: a message that was not taken has changed nothing that can be seen. `latest` is only written to while
nobody else holds it.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp, strncmp

from mlthon._core.int128 cimport int128
from mlthon._core.json_scan cimport (
    name_word,
    next_item,
    scan_char,
    scan_decimal,
    scan_integer,
    scan_short_name,
    scan_string,
    skip_member,
    skip_space,
    skip_value,
)
from mlthon._core.market_event cimport DepthUpdate, PublicTrade, public_trade_from
from mlthon._core.name_table cimport NameTable
from mlthon._core.price_book cimport Level
from mlthon._core.python_call cimport Py_REFCNT

cdef enum:
    LONGEST_TOPIC = 80                # characters; the full decoder refuses longer ones
    SHORTEST_LEVEL = 9                # characters of ["1","0"]

cdef enum Kind:
    BOOK
    TRADES

cdef int64_t NS_PER_MS = 1_000_000
cdef int64_t ANY_LAG = 2**63 - 1
cdef uint64_t LATEST_MS = 9_000_000_000_000       # the year 2255; in nanoseconds it still fits 64 bits


@cython.final
cdef class FrameScanner:
    """Reads the messages of the topics it was told of, and hands changes of books on.

    `stale_after_ms` is how far a change may lag behind the venue's clock to be handed on; None: any lag is fine.

    What the last message said is kept here until the next `scan`. `update` is borrowed: the next message is read
    into the same object, unless somebody still holds it.

    >>> scanner = FrameScanner()
    >>> topic = scanner.add("orderbook.50.BTCUSDT", "my book")
    >>> scanner.scan(
    ...     b'{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1700000000003,"data":{"s":"BTCUSDT",'
    ...     b'"b":[["50000.1","2"]],"a":[],"u":8,"seq":77},"cts":1700000000001}',
    ...     1_700_000_000_004_000_000,
    ... )
    False
    >>> scanner.owner, scanner.update_id, scanner.sent_ms, scanner.update.bids()
    ('my book', 8, 1700000000003, [(Price('50000.10000000'), Qty('2.00000000'))])
    >>> scanner.scan(b'{"op":"pong"}', 0), scanner.owner
    (False, None)
    """

    cdef readonly int64_t update_id       # of a book message: counts up by one per message of the topic
    cdef readonly int64_t sent_ms         # the venue's stamp of sending
    cdef NameTable topics
    cdef int64_t stale_after_ns
    cdef Topic topic                      # of the last message; None when that was not taken
    cdef DepthUpdate latest
    cdef list latest_trades

    def __cinit__(self, stale_after_ms=None):
        self.topics = NameTable()
        self.latest = DepthUpdate.__new__(DepthUpdate)
        # Whole milliseconds are compared: a lag that is not a whole one more is within the bound.
        self.stale_after_ns = ANY_LAG if stale_after_ms is None else (stale_after_ms + 1) * NS_PER_MS

    def add(self, str name not None, owner not None, deliver=None):
        """Read a topic's messages from now on; returns the `Topic`, which keeps its place in the stream.

        The name is ``orderbook.<depth>.<symbol>`` or ``publicTrade.<symbol>``, else ValueError. One that is not
        plain ASCII, or longer than 80 characters, is accepted but never recognised.

        `deliver`, of an order book, is called with each `DepthUpdate` that is the next change of the book. It
        returns whether it took the change; where it did not, nothing has been handed on.
        """
        topic = new_topic(name, owner, deliver)
        if deliver is not None and topic.kind != BOOK:
            raise ValueError(f"{name}: expected no deliver: only changes of books are handed on")
        if is_plain(name):
            self.topics.put(name.encode(), topic)
        return topic

    def discard(self, str name not None):
        """Read a topic's messages no longer; nothing happens when they never were."""
        if is_plain(name):
            self.topics.drop(name.encode())

    def scan(self, data, int64_t recv_ns, int64_t venue_ahead_ns=0):
        """Read one message, received at `recv_ns`; returns whether it was the next change of a book, handed on.

        Everything else is the caller's: an `owner` says that the message was read and whose it is, None that it
        has to be read by other means. `venue_ahead_ns` is how far the venue's clock is ahead of the one that made
        `recv_ns`.
        """
        cdef const char *text
        cdef Topic topic
        cdef int64_t update_id
        self.topic = None
        if not PyBytes_CheckExact(data):
            return False
        text = PyBytes_AS_STRING(data)
        topic = self.read(text, text + PyBytes_GET_SIZE(data), recv_ns)
        self.topic = topic
        if topic is None or topic.deliver is None or self.latest.is_snapshot:
            return False
        if topic.update_id < 0 or self.update_id != topic.update_id + 1:
            return False
        if recv_ns + venue_ahead_ns - self.sent_ms * NS_PER_MS >= self.stale_after_ns:
            return False
        update_id = self.update_id
        if not topic.deliver(self.latest):
            return False
        topic.update_id = update_id
        return True

    @property
    def owner(self):
        """Whose topic the last message was of; None when the message was not read."""
        return None if self.topic is None else self.topic.owner

    @property
    def update(self):
        """The order book message that was read last; None when the last one was none."""
        return self.latest if self.topic is not None and self.topic.kind == BOOK else None

    @property
    def trades(self):
        """The trades that were read last, in the venue's order; None when the last message was none of trades."""
        return self.latest_trades if self.topic is not None and self.topic.kind == TRADES else None

    # -- the message ---------------------------------------------------------------------------------------

    cdef Topic read(self, const char *text, const char *end, int64_t recv_ns):
        """Read the whole message; returns its topic, or None without having changed anything visible."""
        cdef Message message
        cdef Topic topic = None
        cdef const char *data = NULL      # where it is, when it stands before the topic
        cdef const char *at = scan_char(text, c"{")
        cdef const char *name
        cdef uint64_t key
        cdef unsigned known
        cdef bint more = True
        message.seen = 0
        while more and at is not NULL:
            name = at
            at = scan_short_name(name, end, &key)
            if at is NULL:
                return None
            known = 0
            if key == name_word("topic"):
                known = HAS_TOPIC
                name = at + 1
                at = scan_string(name, end) if at[0] == c'"' else NULL
                topic = None if at is NULL else self.topics.find(name, at - 1 - name)
                if topic is None:
                    return None
            elif key == name_word("data"):
                known = HAS_DATA
                if topic is None:
                    data = at
                    at = skip_value(at, end)
                else:
                    at = self.read_data(topic, at, end, &message, recv_ns)
            else:
                at = scan_envelope(key, name, at, end, &message, &known)
            if message.seen & known:
                return None               # twice
            message.seen |= known
            at = next_item(at, c"}", &more)
        if at != end or topic is None:
            return None
        if data is not NULL and self.read_data(topic, data, end, &message, recv_ns) is NULL:
            return None
        return topic if self.take(topic, &message, recv_ns) else None

    cdef const char *read_data(
        self, Topic topic, const char *at, const char *end, Message *message, int64_t recv_ns
    ) except? NULL:
        if topic.kind == TRADES:
            return self.read_trades(topic, at, end, recv_ns)
        self.own_room(end - at)
        return scan_book(topic, at, end, self.latest.levels, message)

    cdef int own_room(self, Py_ssize_t chars) except -1:
        """Make `latest` ours alone, with room for all the levels that so many characters can tell."""
        if Py_REFCNT(<PyObject *>self.latest) > 1:
            self.latest = DepthUpdate.__new__(DepthUpdate)
        return self.latest.reserve(chars // SHORTEST_LEVEL + 1)

    cdef bint take(self, Topic topic, const Message *message, int64_t recv_ns) noexcept:
        """Make a message that was read to its end the last one, unless a part is missing."""
        cdef unsigned needed = BOOK_KEYS if topic.kind == BOOK else TRADES_KEYS
        cdef DepthUpdate update = self.latest
        cdef uint64_t venue_ms
        if message.seen & needed != needed:
            return False
        self.sent_ms = <int64_t>message.sent_ms
        if topic.kind == BOOK:
            self.update_id = <int64_t>message.update_id
            venue_ms = message.matched_ms if message.seen & HAS_CTS else message.sent_ms
            # A restarted service numbers from 1 again: such a message is a whole book, whatever it is labelled.
            update.is_snapshot = message.is_snapshot or message.update_id == 1
            update.venue_ns = <int64_t>venue_ms * NS_PER_MS
            update.recv_ns = recv_ns
            update.seq = <int64_t>message.seq
            update.prev_seq = -1
            update.bid_count = message.bid_count
            update.ask_count = message.ask_count
        return True

    cdef const char *read_trades(self, Topic topic, const char *at, const char *end, int64_t recv_ns) except? NULL:
        cdef list trades = []
        cdef Trade trade
        cdef bint more = True
        at = scan_char(at, c"[")
        if at is not NULL and at[0] == c"]":
            more = False
            at += 1
        while more and at is not NULL:
            at = scan_trade(topic, at, end, &trade)
            if at is not NULL:
                trades.append(new_trade(&trade, recv_ns))
            at = next_item(at, c"]", &more)
        self.latest_trades = trades
        return at


@cython.final
cdef class Topic:
    """A topic that is read. `update_id` is the number of the book message it has got to, -1 before the first."""

    cdef public int64_t update_id
    cdef readonly object owner
    cdef object deliver
    cdef Kind kind
    cdef bytes symbol                     # as the message has it, in quotes


cdef Topic new_topic(str name, object owner, object deliver):
    cdef Topic topic = Topic.__new__(Topic)
    kind, _, symbol = name.partition(".")
    if kind == "orderbook":
        topic.kind = BOOK
        symbol = symbol.partition(".")[2]
    elif kind == "publicTrade":
        topic.kind = TRADES
    else:
        raise ValueError(f"expected an orderbook or a publicTrade topic, got {name!r}")
    topic.update_id = -1
    topic.owner = owner
    topic.deliver = deliver
    topic.symbol = f'"{symbol}"'.encode()
    return topic


cdef bint is_plain(str name):
    return name.isascii() and name.isprintable() and not {'"', "\\"} & set(name) and len(name) <= LONGEST_TOPIC


# -- the parts of a message ----------------------------------------------------------------------------------

cdef enum:                            # keys that were seen
    HAS_TOPIC = 1
    HAS_TYPE = 2
    HAS_TS = 4
    HAS_CTS = 8
    HAS_DATA = 16
    HAS_SYMBOL = 32
    HAS_BIDS = 64
    HAS_ASKS = 128
    HAS_UPDATE_ID = 256
    HAS_SEQ = 512
    HAS_SIDE = 1024
    HAS_PRICE = 2048
    HAS_QTY = 4096
    HAS_TRADE_ID = 8192
    TRADES_KEYS = HAS_TOPIC | HAS_TS | HAS_DATA
    BOOK_KEYS = TRADES_KEYS | HAS_TYPE | HAS_SYMBOL | HAS_BIDS | HAS_ASKS | HAS_UPDATE_ID | HAS_SEQ
    TRADE_KEYS = HAS_TS | HAS_SYMBOL | HAS_SIDE | HAS_PRICE | HAS_QTY

cdef struct Message:
    unsigned seen
    bint is_snapshot
    uint64_t sent_ms
    uint64_t matched_ms               # when the matching engine made the change
    uint64_t update_id
    uint64_t seq
    Py_ssize_t bid_count
    Py_ssize_t ask_count


cdef struct Trade:
    unsigned seen
    int taker_index
    int128 price
    int128 qty
    uint64_t matched_ms
    const char *trade_id              # NULL: it has none
    Py_ssize_t trade_id_size


cdef inline const char *scan_envelope(
    uint64_t key, const char *name, const char *at, const char *end, Message *message, unsigned *known
) noexcept:
    """A member beside the topic and the data."""
    if key == name_word("ts"):
        known[0] = HAS_TS
        return scan_stamp(at, end, &message.sent_ms)
    if key == name_word("cts"):
        known[0] = HAS_CTS
        return scan_stamp(at, end, &message.matched_ms)
    if key == name_word("type"):
        known[0] = HAS_TYPE
        message.is_snapshot = strncmp(at, '"snapshot"', 10) == 0
        if message.is_snapshot:
            return at + 10
        return at + 7 if strncmp(at, '"delta"', 7) == 0 else NULL
    return skip_member(name, end)


cdef inline const char *scan_stamp(const char *at, const char *end, uint64_t *out) noexcept:
    at = scan_integer(at, end, out)
    return at if out[0] <= LATEST_MS else NULL


cdef inline const char *scan_symbol(const char *at, const char *end, Topic topic) noexcept:
    """The symbol of the topic, and no other."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(topic.symbol)
    return at + size if end - at >= size and memcmp(at, PyBytes_AS_STRING(topic.symbol), size) == 0 else NULL


cdef const char *scan_book(
    Topic topic, const char *at, const char *end, Level *levels, Message *message
) noexcept:
    """The data of an order book message; the bids come to stand before the asks."""
    cdef const char *name
    cdef uint64_t key
    cdef unsigned known
    cdef bint more = True
    cdef bint asks_first = False
    message.bid_count = message.ask_count = 0
    at = scan_char(at, c"{")
    while more and at is not NULL:
        name = at
        at = scan_short_name(name, end, &key)
        if at is NULL:
            return NULL
        known = 0
        if key == name_word("s"):
            known = HAS_SYMBOL
            at = scan_symbol(at, end, topic)
        elif key == name_word("b"):
            known = HAS_BIDS
            asks_first = message.ask_count > 0
            at = scan_levels(at, end, levels + message.ask_count, &message.bid_count)
        elif key == name_word("a"):
            known = HAS_ASKS
            at = scan_levels(at, end, levels + message.bid_count, &message.ask_count)
        elif key == name_word("u"):
            known = HAS_UPDATE_ID
            at = scan_integer(at, end, &message.update_id)
        elif key == name_word("seq"):
            known = HAS_SEQ
            at = scan_integer(at, end, &message.seq)
        else:
            at = skip_member(name, end)
        if message.seen & known:
            return NULL
        message.seen |= known
        at = next_item(at, c"}", &more)
    if asks_first:
        swap_parts(levels, message.ask_count, message.bid_count)
    return at


cdef const char *scan_levels(const char *at, const char *end, Level *levels, Py_ssize_t *count) noexcept:
    """A list of [price, qty]."""
    cdef Level *level = levels
    cdef uint64_t price_size = 0
    cdef bint more = True
    at = scan_char(at, c"[")
    if at is not NULL and at[0] == c"]":
        more = False
        at += 1
    while more and at is not NULL:
        at = scan_level(at, end, level, &price_size)
        level += 1
        at = next_item(at, c"]", &more)
    count[0] = level - levels
    return at


cdef inline const char *scan_level(
    const char *at, const char *end, Level *level, uint64_t *price_size
) noexcept:
    at = scan_opening(at, c"[")
    if at is NULL:
        return NULL
    at = scan_decimal(at, end, &level.price, price_size)
    if at is NULL or level.price == 0:
        return NULL
    at = scan_opening(at, c",")
    if at is NULL:
        return NULL
    at = scan_decimal(at, end, &level.qty, NULL)
    if at is NULL:
        return NULL
    at = skip_space(at)
    return at + 1 if at[0] == c"]" else NULL


cdef inline const char *scan_opening(const char *at, char char) noexcept:
    """A character and the opening quote of what follows, with the space around them."""
    if at[0] == char and at[1] == c'"':
        return at + 2
    at = scan_char(at, char)
    return at + 1 if at is not NULL and at[0] == c'"' else NULL


cdef void swap_parts(Level *levels, Py_ssize_t first, Py_ssize_t second) noexcept:
    """Put the second part before the first, each in its order."""
    reverse(levels, first)
    reverse(levels + first, second)
    reverse(levels, first + second)


cdef void reverse(Level *levels, Py_ssize_t count) noexcept:
    cdef Py_ssize_t index
    for index in range(count // 2):
        levels[index], levels[count - 1 - index] = levels[count - 1 - index], levels[index]


cdef const char *scan_trade(Topic topic, const char *at, const char *end, Trade *trade) noexcept:
    """One trade of the data."""
    cdef const char *name
    cdef uint64_t key
    cdef unsigned known
    cdef bint more = True
    trade.seen = 0
    trade.trade_id = NULL
    at = scan_char(at, c"{")
    while more and at is not NULL:
        name = at
        at = scan_short_name(name, end, &key)
        if at is NULL:
            return NULL
        known = 0
        if key == name_word("T"):
            known = HAS_TS
            at = scan_stamp(at, end, &trade.matched_ms)
        elif key == name_word("s"):
            known = HAS_SYMBOL
            at = scan_symbol(at, end, topic)
        elif key == name_word("S"):
            known = HAS_SIDE
            at = scan_side(at, &trade.taker_index)
        elif key == name_word("p"):
            known = HAS_PRICE
            at = scan_positive(at, end, &trade.price)
        elif key == name_word("v"):
            known = HAS_QTY
            at = scan_positive(at, end, &trade.qty)
        elif key == name_word("i"):
            known = HAS_TRADE_ID
            at = scan_trade_id(at, end, trade)
        else:
            at = skip_member(name, end)
        if trade.seen & known:
            return NULL
        trade.seen |= known
        at = next_item(at, c"}", &more)
    return at if trade.seen & TRADE_KEYS == TRADE_KEYS else NULL


cdef PublicTrade new_trade(const Trade *trade, int64_t recv_ns):
    cdef PublicTrade event = public_trade_from(trade.taker_index, trade.price, trade.qty)
    event.venue_ns = <int64_t>trade.matched_ms * NS_PER_MS
    event.recv_ns = recv_ns
    if trade.trade_id is not NULL:
        event.trade_id = PyUnicode_DecodeASCII(trade.trade_id, trade.trade_id_size, NULL)
    return event


cdef inline const char *scan_trade_id(const char *at, const char *end, Trade *trade) noexcept:
    if at[0] != c'"':
        return NULL
    trade.trade_id = at + 1
    at = scan_string(at + 1, end)
    trade.trade_id_size = at - 1 - trade.trade_id if at is not NULL else 0
    return at


cdef inline const char *scan_side(const char *at, int *index) noexcept:
    index[0] = 1 if strncmp(at, '"Sell"', 6) == 0 else 0
    if index[0]:
        return at + 6
    return at + 5 if strncmp(at, '"Buy"', 5) == 0 else NULL


cdef inline const char *scan_positive(const char *at, const char *end, int128 *out) noexcept:
    """A decimal number above zero, as a string."""
    if at[0] != c'"':
        return NULL
    at = scan_decimal(at + 1, end, out, NULL)
    if at is NULL or out[0] == 0:
        return NULL
    return at
