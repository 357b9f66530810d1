"""Messages on their way, each with the time at which it arrives; of those of one time, the first sent arrives first.

A binary heap of times, over slots of objects: in steady state neither sending nor delivering makes an object.

Invariants: no heap entry is earlier than the one it hangs from; a slot belongs to one entry, or is free.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport INT64_MAX, int64_t
from mlthon._core.due_heap cimport Due, heap_add, heap_drop_first

cdef enum:
    FIRST_ROOM = 64


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
        cdef Due due
        if self.size == self.room:
            self.make_room()
        self.last_number += 1
        due = Due(due_ns, self.last_number, what, self.free_slots[self.room - self.size - 1])
        self.recipients[due.slot] = recipient
        self.firsts[due.slot] = first
        self.seconds[due.slot] = second
        heap_add(self.heap, self.size, &due)
        self.size += 1
        self.next_ns = self.heap[0].due_ns
        return 0

    cdef int deliver_first(self) except -1:
        cdef int what = self.heap[0].what
        cdef int slot = self.heap[0].slot
        cdef Recipient recipient = <Recipient>self.recipients[slot]
        cdef object first = self.firsts[slot]
        cdef object second = self.seconds[slot]
        self.recipients[slot] = self.firsts[slot] = self.seconds[slot] = None
        heap_drop_first(self.heap, self.size)
        self.size -= 1
        self.free_slots[self.room - self.size - 1] = slot
        self.next_ns = self.heap[0].due_ns if self.size else INT64_MAX
        return recipient.receive(what, first, second)

    cdef int make_room(self) except -1:
        """Double the heap and the slots; called when no slot is free."""
        cdef Py_ssize_t room = self.room * 2 if self.room else FIRST_ROOM
        cdef Py_ssize_t slot
        cdef Due *heap = <Due *>PyMem_Realloc(self.heap, room * sizeof(Due))
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
