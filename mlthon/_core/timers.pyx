"""The timer queue: what is due next, in time order, and in order of arrival where times are equal.

A binary heap of (due_ns, number), the earliest at the root. Cancelling forgets the payload at once and leaves the
heap entry to be dropped when it comes up, so a cancelled timer costs one heap slot until its time.

Invariants: a number is in `payloads` exactly while its timer is pending; the first heap entry is never later than
any other.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport int64_t, uint64_t

cdef enum:
    FIRST_CAPACITY = 16


@cython.final
cdef class TimerQueue:
    """Pending timers, each with a payload of the caller's.

    >>> queue = TimerQueue()
    >>> first, second = queue.add(20, "later"), queue.add(10, "sooner")
    >>> queue.next_due_ns()
    10
    >>> queue.pop_due(15)
    (10, 'sooner')
    >>> queue.pop_due(15) is None
    True
    >>> queue.cancel(first), len(queue)
    (True, 0)
    """

    def __cinit__(self):
        self.payloads = {}

    def __dealloc__(self):
        PyMem_Free(self.heap)

    def __len__(self):
        return len(self.payloads)

    def add(self, int64_t due_ns, payload) -> int:
        """Queue `payload` for `due_ns`; returns the timer's number. O(log n)."""
        self.last_number += 1
        self.push(due_ns, self.last_number)
        self.payloads[self.last_number] = payload
        return self.last_number

    def cancel(self, uint64_t number) -> bool:
        """Forget a timer; returns whether it was still pending."""
        return self.payloads.pop(number, self) is not self

    def next_due_ns(self):
        """When the next timer is due, or None when there is none."""
        self.drop_cancelled()
        return self.heap[0].due_ns if self.size else None

    def pop_due(self, int64_t now_ns):
        """Take the earliest timer due at or before `now_ns`: (due_ns, payload), or None."""
        cdef int64_t due_ns
        self.drop_cancelled()
        if self.size == 0 or self.heap[0].due_ns > now_ns:
            return None
        due_ns = self.heap[0].due_ns
        payload = self.payloads.pop(self.heap[0].number)
        self.drop_first()
        return due_ns, payload

    cdef int push(self, int64_t due_ns, uint64_t number) except -1:
        cdef Due due = Due(due_ns, number)
        cdef Py_ssize_t hole = self.size
        cdef Py_ssize_t parent
        if self.size == self.capacity:
            self.make_room()
        while hole > 0:
            parent = (hole - 1) >> 1
            if not is_earlier(&due, &self.heap[parent]):
                break
            self.heap[hole] = self.heap[parent]
            hole = parent
        self.heap[hole] = due
        self.size += 1
        return 0

    cdef int make_room(self) except -1:
        cdef Py_ssize_t capacity = self.capacity * 2 if self.capacity else FIRST_CAPACITY
        cdef Due *grown = <Due *>PyMem_Realloc(self.heap, capacity * sizeof(Due))
        if grown is NULL:
            raise MemoryError(f"no memory for {capacity} timers")
        self.heap = grown
        self.capacity = capacity
        return 0

    cdef void drop_first(self) noexcept:
        cdef Due last = self.heap[self.size - 1]
        cdef Py_ssize_t hole = 0
        cdef Py_ssize_t child
        self.size -= 1
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

    cdef void drop_cancelled(self) noexcept:
        while self.size and self.heap[0].number not in self.payloads:
            self.drop_first()


cdef inline bint is_earlier(const Due *a, const Due *b) noexcept:
    return a.due_ns < b.due_ns or (a.due_ns == b.due_ns and a.number < b.number)
