# Things by their ids, for other compiled modules.

cimport cython
from libc.stdint cimport int32_t, uint32_t

cdef struct Slot:
    uint32_t hash                     # of the id
    int32_t place                     # where it stands; NOWHERE: the slot is free


@cython.final
cdef class IdRegister:
    cdef list ids, items              # by place; None where a place is spare
    cdef Slot *slots
    cdef int32_t *spare               # places, `spare_count` of them
    cdef Py_ssize_t spare_count
    cdef Py_ssize_t size
    cdef Py_ssize_t mask              # the number of slots, a power of two, less one

    cdef object find(self, str item_id)                       # None: there is none
    cdef bint add(self, str item_id, object item) except -1   # False: the id is taken
    cdef bint remove(self, str item_id) except -1             # whether it was there

    cdef Py_ssize_t slot_of(self, str item_id, uint32_t hash) noexcept
    cdef int grow(self) except -1
