"""Messages on their way, each with the time at which it arrives; of those of one time, the first sent arrives first.

A binary heap of times, over slots of objects: in steady state neither sending nor delivering makes an object.

Invariants: no heap entry is earlier than the one it hangs from; a slot belongs to one entry, or is free.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport INT64_MAX, int64_t

cdef enum:
    FIRST_ROOM = 64


cdef inline bint is_earlier(const Arrival *a, const Arrival *b) noexcept:
    return a.due_ns < b.due_ns or (a.due_ns == b.due_ns and a.number < b.number)


@cython.final
cdef class ArrivalQueue:
    """For compiled code only."""

    def __cinit__(self):
        self.next_ns = INT64_MAX
        self.recipients, self.firsts, self.seconds = [], [], []

    def __dealloc__(self):
        PyMem_Free(self.heap)
        PyMem_Free(self.free_slots)

    cdef int put(self, int64_t due_ns, Recipient recipient, int what, object first, object second) except -1:
        cdef Arrival arrival
        cdef Py_ssize_t hole, parent
        if self.size == self.room:
            self.make_room()
        self.last_number += 1
        arrival = Arrival(due_ns, self.last_number, what, self.free_slots[self.room - self.size - 1])
        self.recipients[arrival.slot] = recipient
        self.firsts[arrival.slot] = first
        self.seconds[arrival.slot] = second
        hole = self.size
        self.size += 1
        while hole > 0:
            parent = (hole - 1) >> 1
            if not is_earlier(&arrival, &self.heap[parent]):
                break
            self.heap[hole] = self.heap[parent]
            hole = parent
        self.heap[hole] = arrival
        self.next_ns = self.heap[0].due_ns
        return 0

    cdef int deliver_first(self) except -1:
        cdef int what = self.heap[0].what
        cdef int slot = self.heap[0].slot
        cdef Recipient recipient = <Recipient>self.recipients[slot]
        cdef object first = self.firsts[slot]
        cdef object second = self.seconds[slot]
        self.recipients[slot] = self.firsts[slot] = self.seconds[slot] = None
        self.drop_first()
        self.free_slots[self.room - self.size - 1] = slot
        self.next_ns = self.heap[0].due_ns if self.size else INT64_MAX
        return recipient.receive(what, first, second)

    cdef void drop_first(self) noexcept:
        cdef Py_ssize_t hole = 0, child
        cdef Arrival last
        self.size -= 1
        last = self.heap[self.size]
        while True:
            child = 2 * hole + 1
            if child >= self.size:
                break
            if child + 1 < self.size and is_earlier(&self.heap[child + 1], &self.heap[child]):
                child += 1
            if not is_earlier(&self.heap[child], &last):
                break
            self.heap[hole] = self.heap[child]
            hole = child
        self.heap[hole] = last

    cdef int make_room(self) except -1:
        """Double the heap and the slots; called when no slot is free."""
        cdef Py_ssize_t room = self.room * 2 if self.room else FIRST_ROOM
        cdef Py_ssize_t slot
        cdef Arrival *heap = <Arrival *>PyMem_Realloc(self.heap, room * sizeof(Arrival))
        if heap is NULL:
            raise MemoryError(f"no memory for {room} messages on their way")
        self.heap = heap
        cdef int *free_slots = <int *>PyMem_Realloc(self.free_slots, room * sizeof(int))
        if free_slots is NULL:
            raise MemoryError(f"no memory for {room} messages on their way")
        self.free_slots = free_slots
        for objects in (self.recipients, self.firsts, self.seconds):
            (<list>objects).extend([None] * (room - self.room))
        for slot in range(self.room, room):
            free_slots[slot - self.room] = <int>slot
        self.room = room
        return 0
