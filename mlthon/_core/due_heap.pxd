# A binary heap of what is due: the earliest at the root; of those of one time, the lowest number.
#
# The memory, and how much of it is in use, are the owner's.

from libc.stdint cimport int64_t, uint64_t

cdef struct Due:
    int64_t due_ns
    uint64_t number                   # order of arrival


cdef inline bint is_earlier(const Due *a, const Due *b) noexcept:
    return a.due_ns < b.due_ns or (a.due_ns == b.due_ns and a.number < b.number)


# Add to `size` entries; there has to be room for one more.
cdef inline void heap_add(Due *heap, Py_ssize_t size, const Due *due) noexcept:
    cdef Py_ssize_t hole = size
    cdef Py_ssize_t parent
    while hole > 0:
        parent = (hole - 1) >> 1
        if not is_earlier(due, &heap[parent]):
            break
        heap[hole] = heap[parent]
        hole = parent
    heap[hole] = due[0]


# Drop the root of `size` entries, of which there has to be one.
cdef inline void heap_drop_first(Due *heap, Py_ssize_t size) noexcept:
    cdef Due last = heap[size - 1]
    cdef Py_ssize_t hole = 0
    cdef Py_ssize_t child
    size -= 1
    while True:
        child = 2 * hole + 1
        if child >= size:
            break
        if child + 1 < size and is_earlier(&heap[child + 1], &heap[child]):
            child += 1
        if not is_earlier(&heap[child], &last):
            break
        heap[hole] = heap[child]
        hole = child
    heap[hole] = last
