"""Messages of a websocket server (RFC 6455, section 5.2), straight out of the bytes that were read.

Nearly every frame is a whole message of text. Those are handed over here; control frames, messages in several
frames, and whatever is against the protocol go to a reader that knows all of it.

Invariants: messages are handed over in the order in which they came. The full reader is given whole frames, but for
one that it has to refuse by its first bytes; once it has refused, nothing is read any more. What is held back is the
beginning of one frame.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint64_t

cdef enum:
    LAST = 0x80                       # of the frames of a message
    OPCODE = 0x0F
    TEXT = 1
    BINARY = 2
    CONTROL = 8                       # the first opcode of those
    MASKED = 0x80
    MASK_BYTES = 4
    SHORT = 125                       # the longest payload whose length takes no further bytes
    IN_TWO_BYTES = 126
    HEADER_BYTES = 2                  # the shortest


cdef struct Frame:
    bint is_message                   # a whole one, of text or bytes, and nothing odd about it
    bint is_refused                   # whatever follows: it need not be waited for
    Py_ssize_t header
    Py_ssize_t size                   # with the header; 0: that is not all there yet


@cython.final
cdef class MessageReader:
    """Calls `on_message` with each message, and the time by `now_ns` when it is handed over.

    What that raises goes to `on_error`, and the rest that was read is dropped. `full` is an aiohttp `WebSocketReader`
    which hands the messages that it puts together back to `deliver`. A message has less than `max_message_bytes`.

    >>> from types import SimpleNamespace
    >>> reader = MessageReader(lambda data, recv_ns: print(data, recv_ns), print, lambda: 77, 1_000)
    >>> reader.full = SimpleNamespace(feed_data=lambda data: (False, print("not a message:", data)))
    >>> reader.feed(b"\\x81\\x05Hello" + b"\\x89\\x00" + b"\\x81\\x07no ")
    b'Hello' 77
    not a message: b'\\x89\\x00'
    >>> reader.feed(b"more")
    b'no more' 77
    """

    cdef public object full
    cdef readonly long long messages      # handed over
    cdef object on_message                # None: nothing is handed over any more
    cdef object on_error, now_ns
    cdef uint64_t max_message_bytes
    cdef bint is_amid                     # the frames of one message
    cdef bint is_refused
    cdef list held                        # the beginning of a frame, in pieces
    cdef Py_ssize_t held_bytes
    cdef Py_ssize_t awaited               # bytes of it, until which nothing can be said

    def __init__(self, on_message not None, on_error not None, now_ns not None, Py_ssize_t max_message_bytes):
        self.on_message = on_message
        self.on_error = on_error
        self.now_ns = now_ns
        self.max_message_bytes = max_message_bytes
        self.held = []

    def hush(self):
        """Hand over nothing more."""
        self.on_message = None

    def deliver(self, data):
        """Hand over a message that `full` has put together."""
        self.hand_over(data)

    def feed(self, bytes data not None):
        """Take in what was read."""
        cdef Py_ssize_t at = 0
        if self.held_bytes:
            self.hold(data)
            if self.held_bytes < self.awaited:
                return
            data = b"".join(self.held)
            self.held.clear()
            self.held_bytes = 0
        cdef const uint8_t *bytes_read = <const uint8_t *>PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef Frame frame
        while at < size and not self.is_refused:
            self.look_at(bytes_read + at, size - at, &frame)
            if frame.is_message and frame.size <= size - at:
                self.hand_over(PyBytes_FromStringAndSize(
                    <const char *>bytes_read + at + frame.header, frame.size - frame.header))
            elif frame.is_refused:
                self.pass_on(data[at:])
                return
            elif frame.size == 0 or frame.size > size - at:
                self.awaited = frame.size if frame.size else size - at + 1
                self.hold(data[at:])
                return
            else:
                self.pass_on(data[at:at + frame.size])
                self.note_part(bytes_read[at])
            at += frame.size

    # -- details -----------------------------------------------------------------------------------------------

    cdef void look_at(self, const uint8_t *at, Py_ssize_t left, Frame *frame) noexcept:
        """Say what begins here, as far as it can be seen."""
        cdef uint64_t payload
        cdef int wide = 0                 # bytes that the length takes beyond the first two
        cdef int index
        frame.is_message = frame.is_refused = False
        frame.header = frame.size = 0
        if left < HEADER_BYTES:
            return
        payload = at[1] & ~MASKED
        if payload > SHORT:
            wide = 2 if payload == IN_TWO_BYTES else 8
            if at[0] & OPCODE >= CONTROL:
                frame.is_refused = True
                return
            if left < HEADER_BYTES + wide:
                return
            payload = 0
            for index in range(wide):
                payload = payload << 8 | at[HEADER_BYTES + index]
        frame.is_refused = payload >= self.max_message_bytes
        if frame.is_refused:
            return
        frame.is_message = (at[0] == (LAST | TEXT) or at[0] == (LAST | BINARY)) and not self.is_amid
        if at[1] & MASKED:
            frame.is_message = False
            wide += MASK_BYTES
        frame.header = HEADER_BYTES + wide
        frame.size = frame.header + <Py_ssize_t>payload

    cdef int hand_over(self, object data) except -1:
        if self.on_message is None:
            return 0
        self.messages += 1
        try:
            self.on_message(data, self.now_ns())
        except BaseException as error:
            self.on_message = None
            self.on_error(error)
        return 0

    cdef int pass_on(self, bytes data) except -1:
        self.is_refused, _ = self.full.feed_data(data)
        return 0

    cdef void note_part(self, uint8_t first) noexcept:
        """Note whether a message is amid its frames; control frames may come between them."""
        if first & OPCODE < CONTROL:
            self.is_amid = not first & LAST

    cdef int hold(self, bytes data) except -1:
        self.held.append(data)
        self.held_bytes += PyBytes_GET_SIZE(data)
        return 0
