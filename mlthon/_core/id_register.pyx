"""Things by their ids, for those that come and go by the thousand.

A dict has to look at a key to see that it is another one, and keeps the places of keys that have left until it is
built anew. Here a slot knows enough of its id to be passed by, and what leaves, leaves nothing behind.

Invariants: between the slot where the search for an id begins and the slot of that id there is no free one; at least
a third of all slots are free.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport INT32_MAX, int32_t, uint32_t
from libc.string cimport memcpy, memset
from mlthon._core.text_hash cimport hash_text, is_same

cdef enum:
    NOWHERE = -1
    FIRST_SLOTS = 32


@cython.final
cdef class IdRegister:
    """Holds things by ids, which are texts; None is no thing.

    >>> table = IdRegister()
    >>> table.put("a1", "one"), table.put("a1", "another"), table.get("a1")
    (True, False, 'one')
    >>> table.drop("a1"), table.drop("a1"), table.get("a1"), len(table)
    (True, False, None, 0)
    """

    def __cinit__(self):
        self.ids, self.items = [], []

    def __dealloc__(self):
        PyMem_Free(self.slots)
        PyMem_Free(self.spare)

    def __len__(self):
        return self.size

    def get(self, str item_id not None):
        """What has the id; None when there is nothing."""
        return self.find(item_id)

    def put(self, str item_id not None, item not None) -> bool:
        """Hold something; returns False, and does nothing, where the id is taken."""
        return self.add(item_id, item)

    def drop(self, str item_id not None) -> bool:
        """Let go of what has the id; returns whether there was anything."""
        return self.remove(item_id)

    cdef object find(self, str item_id):
        cdef Py_ssize_t at
        if self.size == 0:
            return None
        at = self.slot_of(item_id, short_hash(item_id))
        return None if self.slots[at].place == NOWHERE else self.items[self.slots[at].place]

    cdef bint add(self, str item_id, object item) except -1:
        cdef uint32_t hash = short_hash(item_id)
        cdef Py_ssize_t at
        if self.slots is NULL or 3 * self.size > 2 * self.mask:
            self.grow()
        at = self.slot_of(item_id, hash)
        if self.slots[at].place != NOWHERE:
            return False
        if self.spare_count:
            self.spare_count -= 1
            self.slots[at].place = self.spare[self.spare_count]
            self.ids[self.slots[at].place], self.items[self.slots[at].place] = item_id, item
        else:
            self.ids.append(item_id)
            self.items.append(item)
            self.slots[at].place = <int32_t>self.size
        self.slots[at].hash = hash
        self.size += 1
        return True

    cdef bint remove(self, str item_id) except -1:
        cdef Py_ssize_t hole, at
        cdef int32_t place
        if self.size == 0:
            return False
        hole = at = self.slot_of(item_id, short_hash(item_id))
        place = self.slots[hole].place
        if place == NOWHERE:
            return False
        while True:                       # what stands behind it moves up, so that no search ends too early
            at = (at + 1) & self.mask
            if self.slots[at].place == NOWHERE:
                break
            if ((at - <Py_ssize_t>self.slots[at].hash) & self.mask) >= ((at - hole) & self.mask):
                self.slots[hole] = self.slots[at]
                hole = at
        self.slots[hole].place = NOWHERE
        self.spare[self.spare_count] = place
        self.spare_count += 1
        self.size -= 1
        self.ids[place] = self.items[place] = None
        return True

    # -- details -----------------------------------------------------------------------------------------------

    cdef Py_ssize_t slot_of(self, str item_id, uint32_t hash) noexcept:
        """The slot of an id, or the free one where it would stand."""
        cdef Py_ssize_t at = hash & self.mask
        while self.slots[at].place != NOWHERE:
            if self.slots[at].hash == hash and is_same(self.ids[self.slots[at].place], item_id):
                break
            at = (at + 1) & self.mask
        return at

    cdef int grow(self) except -1:
        """Have twice as many slots; there may be as many spare places."""
        cdef Py_ssize_t count = 0 if self.slots is NULL else self.mask + 1
        cdef Py_ssize_t wanted = 2 * count if count else FIRST_SLOTS
        cdef Slot *slots = NULL
        cdef int32_t *spare = NULL
        cdef Py_ssize_t index, at
        if wanted <= INT32_MAX:
            slots = <Slot *>PyMem_Malloc(wanted * sizeof(Slot))
            spare = <int32_t *>PyMem_Malloc(wanted * sizeof(int32_t))
        if slots is NULL or spare is NULL:
            PyMem_Free(slots)
            PyMem_Free(spare)
            raise MemoryError(f"no memory for {wanted} ids")
        memset(slots, 0xff, wanted * sizeof(Slot))   # every place NOWHERE
        for index in range(count):
            if self.slots[index].place != NOWHERE:
                at = self.slots[index].hash & (wanted - 1)
                while slots[at].place != NOWHERE:
                    at = (at + 1) & (wanted - 1)
                slots[at] = self.slots[index]
        if self.spare_count:
            memcpy(spare, self.spare, self.spare_count * sizeof(int32_t))
        PyMem_Free(self.slots)
        PyMem_Free(self.spare)
        self.slots, self.spare, self.mask = slots, spare, wanted - 1
        return 0


cdef inline uint32_t short_hash(str item_id) noexcept:
    return <uint32_t>(hash_text(item_id) >> 32)
