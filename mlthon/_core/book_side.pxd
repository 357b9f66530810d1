# One side of a book: price levels in order, for other compiled modules.
#
# Invariants: levels are sorted, their best one last, and hold a price once; a level's qty is positive. Chunks hold
# 1 to CHUNK_SIZE levels each. No key of a chunk is below its `firsts`, and none of the chunks before it is above; of
# the first chunk, `firsts` says nothing.

from libc.stdint cimport uint32_t, uint64_t
from mlthon._core.int128 cimport int128

cdef enum:
    CHUNK_SIZE = 64                   # a bit of 64 each, and the last 6 bits of a key

cdef struct Level:
    int128 price
    int128 qty

cdef enum Change:                     # what setting a level did
    FAILED = -1                       # an exception is set
    ABSENT = 0                        # deleting a price that was not there: a no-op
    ADDED = 1
    MODIFIED = 2
    DELETED = 3
    UNCHANGED = 4                     # the quantity it already had

cdef struct Chunk:
    uint64_t used                     # a bit for each slot
    uint64_t[CHUNK_SIZE] keys          # worst level first: its price's key, its slot in the last bits; then none
    Level[CHUNK_SIZE] levels          # by slot
    void *queues[CHUNK_SIZE]          # by slot; only there if the side `has_queues`

cdef struct ChunkEntry:
    Chunk *chunk
    Py_ssize_t size

cdef struct Place:                    # where a level is, or would be; good until the next level comes or goes
    uint64_t key                       # the price's, without a slot
    Py_ssize_t entry                  # index of its chunk
    Py_ssize_t index                  # in the chunk's keys

cdef struct Spot:                     # a place in another book, where it is looked first
    uint32_t entry
    uint32_t index

cdef class BookSide:
    cdef Py_ssize_t size
    cdef bint is_bid
    cdef bint has_queues                          # every level carries a pointer of its owner's
    cdef unsigned long long top_version           # grows whenever the best level (price or qty) changes
    cdef unsigned long long shape_version         # grows whenever a level comes or goes

    cdef uint64_t *firsts                          # of the chunks, then none
    cdef ChunkEntry *chunks
    cdef Py_ssize_t chunk_count
    cdef Py_ssize_t chunk_capacity
    cdef Py_ssize_t latest                        # the chunk last looked into: neighbours come together
    cdef Chunk *spare                             # chunks to use again, linked through their first words

    cdef Change set(self, int128 price, int128 qty) except FAILED   # qty 0 or less deletes; MemoryError only
    # The same for several. The first returns how many are not as they were, and fills `spots`, for other books that
    # are told the same; the second, for those, fills `changes`: right whatever the spots are, and they may be NULL.
    cdef Py_ssize_t set_all(self, const Level *levels, Py_ssize_t count, Spot *spots) except -1
    cdef int set_again(self, const Level *levels, Py_ssize_t count, const Spot *spots, Change *changes) except -1
    cdef int lay_out(self) except -1                           # as if the levels had come best first: so spots match
    cdef Level *best(self) noexcept                            # NULL when empty
    cdef Level *at(self, Py_ssize_t depth) noexcept            # depth 0 is the best; NULL beyond the end
    cdef Level *find(self, int128 price) noexcept              # NULL when absent
    cdef void clear(self) noexcept                             # keeps the memory for the next levels

    # A walk from the best level on: `start`, then `next_level` until it is NULL. No level may come or go meanwhile.
    cdef void start(self, Place *place) noexcept
    cdef Level *next_level(self, Place *place) noexcept

    # The steps `set` is made of.
    cdef Level *seek(self, int128 price, Place *place) noexcept     # NULL: it is not there, but would be
    cdef int insert(self, Place *place, int128 price, int128 qty) except -1     # moves `place` to the level
    cdef void set_qty(self, const Place *place, int128 qty) noexcept
    cdef void remove(self, const Place *place) noexcept

    cdef int make_room(self, Place *place) except -1
    cdef Chunk *new_chunk(self) except NULL
    cdef int reserve_entry(self) except -1
    cdef void insert_entry(self, Py_ssize_t entry, Chunk *chunk, Py_ssize_t size) noexcept
    cdef void remove_entry(self, Py_ssize_t entry) noexcept
    cdef void merge(self, Py_ssize_t entry) noexcept

cdef inline uint64_t key_of(const Chunk *chunk, Py_ssize_t index) noexcept:
    return chunk.keys[index] & ~<uint64_t>(CHUNK_SIZE - 1)

cdef inline Py_ssize_t slot_of(const Chunk *chunk, Py_ssize_t index) noexcept:
    return chunk.keys[index] & (CHUNK_SIZE - 1)

cdef inline Level *level_of(BookSide side, const Place *place) noexcept:
    cdef Chunk *chunk = side.chunks[place.entry].chunk
    return &chunk.levels[slot_of(chunk, place.index)]

cdef inline void **queue_of(BookSide side, const Place *place) noexcept:
    cdef Chunk *chunk = side.chunks[place.entry].chunk
    return &chunk.queues[slot_of(chunk, place.index)]

# Whether a place is that of the best level.
cdef inline bint is_top(BookSide side, const Place *place) noexcept:
    return place.entry == side.chunk_count - 1 and place.index == side.chunks[place.entry].size - 1
