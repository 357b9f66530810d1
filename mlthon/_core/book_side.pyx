"""One side of a book: price levels in chunks of a few dozen, the chunks in one directory, the best level last.

A search compares 64-bit keys made of the prices, a quarter of the memory of the levels themselves, and touches prices
only where it has arrived. A message tells neighbouring levels one after the other, so a search begins at the chunk
where the last one ended. A level that comes or goes moves the keys of its chunk; the levels, whose slots the keys
tell, stay where they are.

Chunks come from a free list and go back to it: once a side has seen its usual size, an update allocates nothing.
"""

from cython cimport final
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport UINT64_MAX, uint32_t, uint64_t
from libc.string cimport memmove

from mlthon._core.int128 cimport int128

cdef extern from *:
    """
    /* 64 bits that order as the 128 do or, for prices that agree in their first 50 binary digits, are equal:
       where the leading one stands, then the 49 digits behind it, then 6 zeros; negative ones below the others. */
    static inline uint64_t mlthon_price_key(mlthon_int128 price, int is_bid) {
        mlthon_uint128 magnitude = mlthon_magnitude(price);
        uint64_t high = (uint64_t)(magnitude >> 64), low = (uint64_t)magnitude, digits = 0;
        uint64_t leading = 0, middle = (uint64_t)1 << 63;
        if (high) {
            leading = 63 - __builtin_clzll(high);
            digits = high << (63 - leading) | low >> 1 >> leading;
            leading += 64;
        } else if (low) {
            leading = 63 - __builtin_clzll(low);
            digits = low << (63 - leading);
        }
        digits = (leading << 55) + (digits >> 8 & ~(uint64_t)63);      /* the leading one makes it one more */
        return (price < 0) == is_bid ? middle - digits : middle + digits;
    }

    /* How many of 8 keys, so many apart, are below another: no step waits for another, no branch is guessed, and
       compilers count unsigned ones with two instructions each. */
    #define MLTHON_BELOW(keys, n, step, key) (size_t)(keys[(n) * (step)] < key)
    #define MLTHON_SEVEN_BELOW(keys, step, key) ( \
        MLTHON_BELOW(keys, 0, step, key) + MLTHON_BELOW(keys, 1, step, key) + MLTHON_BELOW(keys, 2, step, key) + \
        MLTHON_BELOW(keys, 3, step, key) + MLTHON_BELOW(keys, 4, step, key) + MLTHON_BELOW(keys, 5, step, key) + \
        MLTHON_BELOW(keys, 6, step, key))

    static inline Py_ssize_t mlthon_below_of_8(const uint64_t *keys, uint64_t key) {
        return (Py_ssize_t)(MLTHON_SEVEN_BELOW(keys, 1, key) + MLTHON_BELOW(keys, 7, 1, key));
    }

    /* The same of 64 sorted ones: first how many eighths end below it. */
    static inline Py_ssize_t mlthon_below_of_64(const uint64_t *keys, uint64_t key) {
        const uint64_t *last = keys + 7;
        const uint64_t *eighth = keys + 8 * MLTHON_SEVEN_BELOW(last, 8, key);
        return eighth - keys + mlthon_below_of_8(eighth, key);
    }
    """
    uint64_t price_key "mlthon_price_key"(int128 price, bint is_bid) noexcept nogil
    Py_ssize_t below_of_8 "mlthon_below_of_8"(const uint64_t *keys, uint64_t key) noexcept nogil
    Py_ssize_t below_of_64 "mlthon_below_of_64"(const uint64_t *keys, uint64_t key) noexcept nogil

cdef extern from *:
    bint likely(bint condition) noexcept nogil
    int first_one "__builtin_ctzll"(unsigned long long bits) noexcept nogil

cdef enum:
    NEAR = 8                          # chunks looked through before the whole directory is
    FULLEST_END = 56                  # what an end chunk keeps when it splits, as a book told in order wants
    SPARSE = 16                       # a chunk with fewer levels looks for a neighbour to join
    JOINED = 48                       # and joins it if they make no more than this

cdef uint64_t NO_KEY = UINT64_MAX     # above any


@final
cdef class BookSide:
    """One side of a book, for compiled code; Python code reads it through its book."""

    def __cinit__(self, bint is_bid, bint has_queues=False):
        self.is_bid = is_bid
        self.has_queues = has_queues

    def __dealloc__(self):
        cdef Chunk *chunk
        self.clear()
        while self.spare is not NULL:
            chunk = self.spare
            self.spare = (<Chunk **>chunk)[0]
            PyMem_Free(chunk)
        PyMem_Free(self.firsts)
        PyMem_Free(self.chunks)

    def __len__(self):
        return self.size

    cdef Change set(self, int128 price, int128 qty) except FAILED:
        cdef Place place
        cdef Level *level = find_place(self, price, &place)
        return set_at(self, &place, level, price, qty)

    cdef Py_ssize_t set_all(self, const Level *levels, Py_ssize_t count, Spot *spots) except -1:
        cdef Place place
        cdef Level *level
        cdef Change change
        cdef Py_ssize_t index
        cdef Py_ssize_t changed = 0
        for index in range(count):
            level = find_place(self, levels[index].price, &place)
            spots[index].entry = <uint32_t>place.entry
            spots[index].index = <uint32_t>place.index
            change = set_at(self, &place, level, levels[index].price, levels[index].qty)
            changed += change != UNCHANGED and change != ABSENT
        return changed

    cdef int set_again(self, const Level *levels, Py_ssize_t count, const Spot *spots, Change *changes) except -1:
        cdef Place place
        cdef Level *level
        cdef Py_ssize_t index
        if spots is NULL:
            for index in range(count):
                changes[index] = self.set(levels[index].price, levels[index].qty)
            return 0
        for index in range(count):
            level = find_again(self, levels[index].price, &spots[index], &place)
            changes[index] = set_at(self, &place, level, levels[index].price, levels[index].qty)
        return 0

    cdef int lay_out(self) except -1:
        cdef Py_ssize_t count = self.size
        cdef Py_ssize_t index
        cdef Place place
        cdef Level *levels = <Level *>PyMem_Malloc(count * sizeof(Level))
        if levels is NULL:
            raise MemoryError(f"no memory for {count} levels")
        try:
            self.start(&place)
            for index in range(count):
                levels[index] = self.next_level(&place)[0]
            self.clear()
            for index in range(count):
                self.set(levels[index].price, levels[index].qty)
        finally:
            PyMem_Free(levels)
        return 0

    cdef Level *best(self) noexcept:
        cdef ChunkEntry *entry
        if self.size == 0:
            return NULL
        entry = &self.chunks[self.chunk_count - 1]
        return &entry.chunk.levels[slot_of(entry.chunk, entry.size - 1)]

    cdef Level *at(self, Py_ssize_t depth) noexcept:
        cdef Py_ssize_t entry = self.chunk_count - 1
        cdef Place place
        if not 0 <= depth < self.size:
            return NULL
        while depth >= self.chunks[entry].size:
            depth -= self.chunks[entry].size
            entry -= 1
        place.entry = entry
        place.index = self.chunks[entry].size - 1 - depth
        return level_of(self, &place)

    cdef Level *find(self, int128 price) noexcept:
        cdef Place place
        cdef Level *level = self.best()
        if level is NULL or level.price == price:     # what is asked for singly is mostly where the market trades
            return level
        return find_place(self, price, &place)

    cdef void clear(self) noexcept:
        if self.size:
            self.top_version += 1
            self.shape_version += 1
        while self.chunk_count:
            self.remove_entry(self.chunk_count - 1)
        self.size = 0

    # -- walking -----------------------------------------------------------------------------------------------

    cdef void start(self, Place *place) noexcept:
        place.entry = self.chunk_count
        place.index = 0

    cdef Level *next_level(self, Place *place) noexcept:
        if place.index == 0:
            if place.entry == 0:
                return NULL
            place.entry -= 1
            place.index = self.chunks[place.entry].size
        place.index -= 1
        return level_of(self, place)

    # -- the steps of a change ---------------------------------------------------------------------------------

    cdef Level *seek(self, int128 price, Place *place) noexcept:
        cdef Level *level = self.best()
        if level is not NULL and level.price == price:
            place.entry = self.chunk_count - 1
            place.index = self.chunks[place.entry].size - 1
            return level
        return find_place(self, price, place)

    cdef void set_qty(self, const Place *place, int128 qty) noexcept:
        level_of(self, place).qty = qty
        self.top_version += is_top(self, place)

    cdef int insert(self, Place *place, int128 price, int128 qty) except -1:
        cdef ChunkEntry *entry
        cdef Chunk *chunk
        cdef Py_ssize_t index, slot
        if self.chunk_count == 0 or self.chunks[place.entry].size == CHUNK_SIZE:
            self.make_room(place)
        entry = &self.chunks[place.entry]
        chunk = entry.chunk
        index = place.index
        slot = first_one(~chunk.used)
        chunk.used |= <uint64_t>1 << slot
        chunk.levels[slot].price = price
        chunk.levels[slot].qty = qty
        memmove(&chunk.keys[index + 1], &chunk.keys[index], (entry.size - index) * sizeof(uint64_t))
        chunk.keys[index] = place.key | slot
        entry.size += 1
        self.size += 1
        self.shape_version += 1
        self.top_version += is_top(self, place)
        return 0

    cdef void remove(self, const Place *place) noexcept:
        cdef ChunkEntry *entry = &self.chunks[place.entry]
        cdef Chunk *chunk = entry.chunk
        cdef Py_ssize_t index = place.index
        self.top_version += is_top(self, place)
        self.shape_version += 1
        self.size -= 1
        entry.size -= 1
        chunk.used &= ~(<uint64_t>1 << slot_of(chunk, index))
        memmove(&chunk.keys[index], &chunk.keys[index + 1], (entry.size - index) * sizeof(uint64_t))
        chunk.keys[entry.size] = NO_KEY
        if entry.size == 0:
            self.remove_entry(place.entry)
        elif entry.size < SPARSE:
            self.merge(place.entry)

    # -- chunks ------------------------------------------------------------------------------------------------

    cdef int make_room(self, Place *place) except -1:
        """Split the full chunk of a place, or make the first one; `place` follows."""
        cdef Chunk *better
        cdef Py_ssize_t kept = CHUNK_SIZE // 2
        self.reserve_entry()
        better = self.new_chunk()
        if self.chunk_count == 0:
            self.insert_entry(0, better, 0)
            return 0
        if place.index == CHUNK_SIZE:
            kept = FULLEST_END
        elif place.index == 0:
            kept = CHUNK_SIZE - FULLEST_END
        move_levels(self, self.chunks[place.entry].chunk, kept, CHUNK_SIZE, better, 0)
        self.chunks[place.entry].size = kept
        self.insert_entry(place.entry + 1, better, CHUNK_SIZE - kept)
        if place.index > kept:
            place.entry += 1
            place.index -= kept
        return 0

    cdef void merge(self, Py_ssize_t entry) noexcept:
        """Join a sparse chunk with a neighbour, if one has the room."""
        cdef ChunkEntry *worse
        cdef ChunkEntry *better
        if entry + 1 == self.chunk_count or self.chunks[entry].size + self.chunks[entry + 1].size > JOINED:
            entry -= 1
            if entry < 0 or self.chunks[entry].size + self.chunks[entry + 1].size > JOINED:
                return
        worse = &self.chunks[entry]
        better = &self.chunks[entry + 1]
        move_levels(self, better.chunk, 0, better.size, worse.chunk, worse.size)
        worse.size += better.size
        self.remove_entry(entry + 1)

    cdef Chunk *new_chunk(self) except NULL:
        cdef Chunk *chunk = self.spare
        cdef size_t queues = sizeof(void *) * CHUNK_SIZE
        cdef Py_ssize_t index
        if chunk is not NULL:
            self.spare = (<Chunk **>chunk)[0]
        else:
            chunk = <Chunk *>PyMem_Malloc(sizeof(Chunk) if self.has_queues else sizeof(Chunk) - queues)
        if chunk is NULL:
            raise MemoryError(f"no memory for a book side of {self.size + 1} levels")
        chunk.used = 0
        for index in range(CHUNK_SIZE):
            chunk.keys[index] = NO_KEY
        return chunk

    cdef int reserve_entry(self) except -1:
        cdef Py_ssize_t capacity
        cdef uint64_t *firsts
        cdef ChunkEntry *chunks
        cdef Py_ssize_t entry
        if self.chunk_count < self.chunk_capacity:
            return 0
        capacity = self.chunk_capacity * 2 if self.chunk_capacity else 4
        firsts = <uint64_t *>PyMem_Realloc(self.firsts, (capacity + NEAR + 1) * sizeof(uint64_t))
        if firsts is NULL:
            raise MemoryError(f"no memory for a book side of {self.size + 1} levels")
        for entry in range(self.chunk_count, capacity + NEAR + 1):
            firsts[entry] = NO_KEY
        self.firsts = firsts
        chunks = <ChunkEntry *>PyMem_Realloc(self.chunks, capacity * sizeof(ChunkEntry))
        if chunks is NULL:
            raise MemoryError(f"no memory for a book side of {self.size + 1} levels")
        self.chunks = chunks
        self.chunk_capacity = capacity
        return 0

    cdef void insert_entry(self, Py_ssize_t entry, Chunk *chunk, Py_ssize_t size) noexcept:
        cdef Py_ssize_t moved = self.chunk_count - entry
        memmove(&self.firsts[entry + 1], &self.firsts[entry], moved * sizeof(uint64_t))
        memmove(&self.chunks[entry + 1], &self.chunks[entry], moved * sizeof(ChunkEntry))
        self.firsts[entry] = key_of(chunk, 0)         # of the first chunk: whatever is there
        self.chunks[entry].chunk = chunk
        self.chunks[entry].size = size
        self.chunk_count += 1

    cdef void remove_entry(self, Py_ssize_t entry) noexcept:
        cdef Chunk *chunk = self.chunks[entry].chunk
        cdef Py_ssize_t moved
        (<Chunk **>chunk)[0] = self.spare
        self.spare = chunk
        self.chunk_count -= 1
        moved = self.chunk_count - entry
        memmove(&self.firsts[entry], &self.firsts[entry + 1], moved * sizeof(uint64_t))
        self.firsts[self.chunk_count] = NO_KEY
        memmove(&self.chunks[entry], &self.chunks[entry + 1], moved * sizeof(ChunkEntry))
        self.latest = 0


cdef void move_levels(
    BookSide side, Chunk *source, Py_ssize_t start, Py_ssize_t stop, Chunk *target, Py_ssize_t at
) noexcept:
    """Move the levels of some keys behind those of another chunk. Sizes are the caller's."""
    cdef Py_ssize_t index, slot, there
    for index in range(start, stop):
        there = slot_of(source, index)
        slot = first_one(~target.used)
        target.used |= <uint64_t>1 << slot
        source.used &= ~(<uint64_t>1 << there)
        target.keys[at] = key_of(source, index) | slot
        source.keys[index] = NO_KEY
        target.levels[slot] = source.levels[there]
        if side.has_queues:
            target.queues[slot] = source.queues[there]
        at += 1


cdef inline Change set_at(BookSide side, Place *place, Level *level, int128 price, int128 qty) except FAILED:
    """Set a level that has been looked for."""
    if qty > 0:
        if level is NULL:
            side.insert(place, price, qty)
            return ADDED
        if level.qty == qty:
            return UNCHANGED
        level.qty = qty
        side.top_version += is_top(side, place)
        return MODIFIED
    if level is NULL:
        return ABSENT
    side.remove(place)
    return DELETED


# -- searching -------------------------------------------------------------------------------------------------


cdef inline Level *find_again(BookSide side, int128 price, const Spot *spot, Place *place) noexcept:
    """The same as `find_place`, without a search where the spot is right. Of a level that is there no key is told."""
    cdef Level *level
    if spot.entry < side.chunk_count:
        place.entry, place.index = spot.entry, spot.index
        if place.index < side.chunks[place.entry].size:
            level = level_of(side, place)
            if likely(level.price == price):
                return level
        place.key = price_key(price, side.is_bid)
        if belongs(side, place):
            return NULL
    return side.seek(price, place)    # a call: searching seldom, the loop around keeps what it works with at hand


cdef inline bint belongs(BookSide side, const Place *place) noexcept:
    """Whether a key that no level has belongs to a place. Where keys are equal, that is not for keys to say."""
    cdef const ChunkEntry *entry = &side.chunks[place.entry]
    if place.index > entry.size:
        return False
    if place.index > 0:
        if key_of(entry.chunk, place.index - 1) >= place.key:
            return False
    elif place.entry > 0 and side.firsts[place.entry] >= place.key:
        return False
    if place.index < entry.size:
        return key_of(entry.chunk, place.index) > place.key
    return side.firsts[place.entry + 1] > place.key


cdef inline Level *find_place(BookSide side, int128 price, Place *place) noexcept:
    cdef uint64_t key = price_key(price, side.is_bid)
    cdef ChunkEntry *entry
    cdef Chunk *chunk
    cdef Level *level
    cdef Py_ssize_t index
    place.key = key
    place.entry = 0
    place.index = 0
    if side.chunk_count == 0:
        return NULL
    place.entry = side.latest = entry_for(side, key, price)
    entry = &side.chunks[place.entry]
    chunk = entry.chunk
    index = below_of_64(chunk.keys, key)
    while index < entry.size and key_of(chunk, index) == key:
        level = &chunk.levels[slot_of(chunk, index)]
        if not is_worse(side, level.price, price):
            place.index = index
            return level if level.price == price else NULL
        index += 1
    place.index = index
    return NULL


cdef inline Py_ssize_t entry_for(BookSide side, uint64_t key, int128 price) noexcept:
    """The chunk that holds the price, or would."""
    cdef const uint64_t *firsts = side.firsts
    cdef Py_ssize_t near = max(side.latest - NEAR // 2, 0)
    cdef Py_ssize_t entry = near + below_of_8(&firsts[near + 1], key + 1)
    if (entry == near and near > 0) or (entry == near + NEAR and entry + 1 < side.chunk_count):
        entry = last_not_above(firsts, 0, side.chunk_count, key)
    while entry > 0 and firsts[entry] == key and is_worse(side, price, first_price(side, entry)):
        entry -= 1                                    # equal keys may span chunks
    return entry


cdef inline int128 first_price(BookSide side, Py_ssize_t entry) noexcept:
    cdef Chunk *chunk = side.chunks[entry].chunk
    return chunk.levels[slot_of(chunk, 0)].price


cdef inline bint is_worse(BookSide side, int128 price, int128 than) noexcept:
    return price < than if side.is_bid else price > than


# Written so that compilers make a conditional move of it: what is compared cannot be predicted.

cdef inline Py_ssize_t last_not_above(const uint64_t *keys, Py_ssize_t start, Py_ssize_t stop, uint64_t key) noexcept:
    cdef Py_ssize_t length = stop - start
    cdef Py_ssize_t half
    while length > 1:
        half = length >> 1
        start += half if keys[start + half] <= key else 0
        length -= half
    return start
