# Things found by positive numbers: an open-addressed table, which costs a few instructions where a dict has to make
# an int.
#
# It holds nothing: what is in it, and the memory, which `free_ids` gives back, are the owner's.

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t, uint64_t

cdef enum:
    FIRST_BITS = 6                    # of the number of slots; twice as many whenever half of them are in use

cdef struct IdSlot:
    int64_t id                        # 0: empty
    void *item

cdef struct IdTable:                  # empty where it is zero
    IdSlot *slots
    Py_ssize_t size                   # how many are in it
    Py_ssize_t mask                   # the number of slots, a power of two, less one
    int shift


# Where an id is looked for first. Fibonacci hashing: ids that follow each other are spread evenly.
cdef inline Py_ssize_t home(const IdTable *table, int64_t id) noexcept:
    return <Py_ssize_t>((<uint64_t>id * 0x9E3779B97F4A7C15u) >> table.shift)


# NULL when there is none.
cdef inline void *find_id(const IdTable *table, int64_t id) noexcept:
    cdef Py_ssize_t at
    if table.size == 0:
        return NULL
    at = home(table, id)
    while table.slots[at].id != 0:
        if table.slots[at].id == id:
            return table.slots[at].item
        at = (at + 1) & table.mask
    return NULL


# The id is not there yet.
cdef inline int add_id(IdTable *table, int64_t id, void *item) except -1:
    if table.slots is NULL or 2 * table.size > table.mask:
        grow_ids(table)
    put_id(table, id, item)
    table.size += 1
    return 0


cdef inline void put_id(IdTable *table, int64_t id, void *item) noexcept:
    cdef Py_ssize_t at = home(table, id)
    while table.slots[at].id != 0:
        at = (at + 1) & table.mask
    table.slots[at] = IdSlot(id, item)


# The id is there. What stands behind it moves up, so that no search ends too early.
cdef inline void drop_id(IdTable *table, int64_t id) noexcept:
    cdef Py_ssize_t hole = home(table, id)
    cdef Py_ssize_t at
    while table.slots[hole].id != id:
        hole = (hole + 1) & table.mask
    at = (hole + 1) & table.mask
    while table.slots[at].id != 0:
        if ((at - home(table, table.slots[at].id)) & table.mask) >= ((at - hole) & table.mask):
            table.slots[hole] = table.slots[at]
            hole = at
        at = (at + 1) & table.mask
    table.slots[hole].id = 0
    table.size -= 1


cdef inline int grow_ids(IdTable *table) except -1:
    cdef IdSlot *before = table.slots
    cdef Py_ssize_t count = 0 if before is NULL else table.mask + 1
    cdef Py_ssize_t at
    cdef int bits = FIRST_BITS if before is NULL else 65 - table.shift
    cdef IdSlot *slots = <IdSlot *>PyMem_Calloc(<size_t>1 << bits, sizeof(IdSlot))
    if slots is NULL:
        raise MemoryError(f"no memory for a table of {1 << bits} slots")
    table.slots, table.mask, table.shift = slots, (<Py_ssize_t>1 << bits) - 1, 64 - bits
    for at in range(count):
        if before[at].id != 0:
            put_id(table, before[at].id, before[at].item)
    PyMem_Free(before)
    return 0


cdef inline void free_ids(IdTable *table) noexcept:
    PyMem_Free(table.slots)
