"""Bybit v5 order book and public trade messages, from bytes straight to fixed point.

What machines write is read in one pass, without an object on the way. Whatever else a message may hold (escapes,
characters beyond ASCII, a key twice, an exponent, a wrong type, another topic) is not judged here: `scan` leaves it
to a parser that knows all of JSON. So what is taken here must be read as that parser would read it, and what is not
taken is no error yet.

Invariants: a message that was not taken has changed nothing that can be seen. `latest` has room for `capacity`
levels, and is only written to while nobody else holds it.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp, strncmp

from mlthon._core.int128 cimport int128
from mlthon._core.json_scan cimport (
    load8,
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
from mlthon._core.price_book cimport Level

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *value) noexcept        # cpython.ref has it for an object, which counts one more

cdef enum:
    LONGEST_TOPIC = 80                # characters; the full decoder refuses longer ones
    SHORTEST_LEVEL = 9                # characters of ["1","0"]
    FEWEST_SLOTS = 8

cdef enum Kind:
    BOOK
    TRADES

cdef int64_t NS_PER_MS = 1_000_000
cdef int64_t ANY_LAG = 2**63 - 1
cdef uint64_t HASH = 0x9E3779B97F4A7C15           # 2**64 over the golden ratio
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
    cdef dict topics                      # by name
    cdef PyObject **slots                 # the same as an open hash table, without references of its own
    cdef Py_ssize_t slot_mask             # their number, a power of two at least twice that of the topics, less 1
    cdef int64_t stale_after_ns
    cdef Topic topic                      # of the last message; None when that was not taken
    cdef DepthUpdate latest
    cdef Py_ssize_t capacity
    cdef list latest_trades

    def __cinit__(self, stale_after_ms=None):
        self.topics = {}
        self.latest = DepthUpdate.__new__(DepthUpdate)
        # Whole milliseconds are compared: a lag that is not a whole one more is within the bound.
        self.stale_after_ns = ANY_LAG if stale_after_ms is None else (stale_after_ms + 1) * NS_PER_MS
        self.fill_slots()

    def __dealloc__(self):
        PyMem_Free(self.slots)

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
        self.topics[name] = topic
        self.fill_slots()
        return topic

    def discard(self, str name not None):
        """Read a topic's messages no longer; nothing happens when they never were."""
        if self.topics.pop(name, None) is not None:
            self.fill_slots()

    def scan(self, data, int64_t recv_ns, int64_t venue_ahead_ns=0):
        """Read one message, received at `recv_ns`; returns whether it was the next change of a book, handed on.

        Everything else is the caller's: an `owner` says that the message was read and whose it is, None that it
        has to be read by other means. `venue_ahead_ns` is how far the venue's clock is ahead of the one that made
        `recv_ns`.
        """
        cdef const char *text
        cdef Topic topic = None
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
        if not topic.deliver(self.latest):
            return False
        topic.update_id = self.update_id
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
                topic = self.find(&at, end)
                if topic is None:
                    return None
            elif key == name_word("ts"):
                known = HAS_TS
                at = scan_stamp(at, end, &message.sent_ms)
            elif key == name_word("cts"):
                known = HAS_CTS
                at = scan_stamp(at, end, &message.matched_ms)
            elif key == name_word("type"):
                known = HAS_TYPE
                at = scan_type(at, &message.is_snapshot)
            elif key == name_word("data") and topic is not None:
                known = HAS_DATA
                at = self.read_data(topic, at, end, &message, recv_ns)
            elif key == name_word("data"):
                known = HAS_DATA
                data = at
                at = skip_value(at, end)
            else:
                at = skip_member(name, end)
            if message.seen & known:      # twice
                return None
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
        cdef Py_ssize_t needed = chars // SHORTEST_LEVEL + 1
        cdef Level *levels
        if Py_REFCNT(<PyObject *>self.latest) > 1:
            self.latest = DepthUpdate.__new__(DepthUpdate)
            self.capacity = 0
        if needed > self.capacity:
            levels = <Level *>PyMem_Realloc(self.latest.levels, needed * sizeof(Level))
            if levels is NULL:
                raise MemoryError(f"no memory for {needed} levels")
            self.latest.levels = levels
            self.capacity = needed
        return 0

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
        cdef bint more = True
        at = scan_char(at, c"[")
        if at is not NULL and at[0] == c"]":
            more = False
            at += 1
        while more and at is not NULL:
            at = read_trade(topic, at, end, recv_ns, trades)
            at = next_item(at, c"]", &more)
        self.latest_trades = trades
        return at

    # -- topics --------------------------------------------------------------------------------------------

    cdef int fill_slots(self) except -1:
        """Lay the table out anew; topics come and go rarely."""
        cdef Py_ssize_t count = FEWEST_SLOTS
        cdef PyObject **slots
        cdef Topic topic
        while count < 2 * len(self.topics):
            count *= 2
        slots = <PyObject **>PyMem_Calloc(count, sizeof(PyObject *))
        if slots is NULL:
            raise MemoryError(f"no memory for {count} topics")
        PyMem_Free(self.slots)
        self.slots = slots
        self.slot_mask = count - 1
        for topic in self.topics.values():
            if topic.is_plain:
                self.slots[self.slot_of(PyBytes_AS_STRING(topic.name), topic.size)] = <PyObject *>topic
        return 0

    cdef Topic find(self, const char **place, const char *end):
        """The topic that the string at `place` names, moving on behind that; None for another."""
        cdef const char *name = place[0] + 1
        cdef PyObject *found
        if place[0][0] != c'"':
            return None
        place[0] = scan_string(name, end)
        if place[0] is NULL:
            return None
        found = self.slots[self.slot_of(name, place[0] - 1 - name)]
        return <Topic>found if found is not NULL else None

    cdef Py_ssize_t slot_of(self, const char *name, Py_ssize_t size) noexcept:
        """Where in the table a name is, or else could be put."""
        # Symbols differ in their last letters.
        cdef uint64_t mixed = (load8(name + size - 8 if size > 8 else name, name + size) + <uint64_t>size) * HASH
        cdef Py_ssize_t slot = <Py_ssize_t>(mixed >> 40) & self.slot_mask
        cdef PyObject *found = self.slots[slot]
        while found is not NULL and not is_named(<Topic>found, name, size):
            slot = (slot + 1) & self.slot_mask
            found = self.slots[slot]
        return slot


@cython.final
cdef class Topic:
    """A topic that is read. `update_id` is the number of the book message it has got to, -1 before the first."""

    cdef public int64_t update_id
    cdef readonly object owner
    cdef object deliver
    cdef Kind kind
    cdef bytes name
    cdef bytes symbol                     # as the message has it, in quotes
    cdef Py_ssize_t size                  # of the name
    cdef bint is_plain                    # False: it is never recognised


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
    topic.name = name.encode()
    topic.symbol = f'"{symbol}"'.encode()
    topic.size = len(topic.name)
    topic.is_plain = name.isascii() and name.isprintable() and '"' not in name and "\\" not in name
    topic.is_plain = topic.is_plain and topic.size <= LONGEST_TOPIC
    return topic


cdef bint is_named(Topic topic, const char *name, Py_ssize_t size) noexcept:
    return topic.size == size and memcmp(PyBytes_AS_STRING(topic.name), name, size) == 0


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


cdef inline const char *scan_stamp(const char *at, const char *end, uint64_t *out) noexcept:
    at = scan_integer(at, end, out)
    return at if out[0] <= LATEST_MS else NULL


cdef inline const char *scan_type(const char *at, bint *is_snapshot) noexcept:
    is_snapshot[0] = strncmp(at, '"snapshot"', 10) == 0
    if is_snapshot[0]:
        return at + 10
    return at + 7 if strncmp(at, '"delta"', 7) == 0 else NULL


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


cdef const char *read_trade(
    Topic topic, const char *at, const char *end, int64_t recv_ns, list trades
) except? NULL:
    """One trade of the data, appended to `trades`."""
    cdef PublicTrade trade
    cdef int128 price = 0
    cdef int128 qty = 0
    cdef uint64_t matched_ms = 0
    cdef int taker_index = 0
    cdef const char *trade_id = NULL
    cdef Py_ssize_t trade_id_size = 0
    cdef const char *name
    cdef uint64_t key
    cdef unsigned seen = 0
    cdef unsigned known
    cdef bint more = True
    at = scan_char(at, c"{")
    while more and at is not NULL:
        name = at
        at = scan_short_name(name, end, &key)
        if at is NULL:
            return NULL
        known = 0
        if key == name_word("T"):
            known = HAS_TS
            at = scan_stamp(at, end, &matched_ms)
        elif key == name_word("s"):
            known = HAS_SYMBOL
            at = scan_symbol(at, end, topic)
        elif key == name_word("S"):
            known = HAS_SIDE
            at = scan_side(at, &taker_index)
        elif key == name_word("p"):
            known = HAS_PRICE
            at = scan_positive(at, end, &price)
        elif key == name_word("v"):
            known = HAS_QTY
            at = scan_positive(at, end, &qty)
        elif key == name_word("i"):
            known = HAS_TRADE_ID
            trade_id = at + 1
            at = scan_string(at + 1, end) if at[0] == c'"' else NULL
            trade_id_size = at - 1 - trade_id
        else:
            at = skip_member(name, end)
        if seen & known:
            return NULL
        seen |= known
        at = next_item(at, c"}", &more)
    if at is NULL or seen & TRADE_KEYS != TRADE_KEYS:
        return NULL
    trade = public_trade_from(taker_index, price, qty)
    trade.venue_ns = <int64_t>matched_ms * NS_PER_MS
    trade.recv_ns = recv_ns
    if trade_id is not NULL:
        trade.trade_id = PyUnicode_DecodeASCII(trade_id, trade_id_size, NULL)
    trades.append(trade)
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
    return at if out[0] != 0 else NULL
