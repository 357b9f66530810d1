"""Objects by name, for compiled code that has the name as characters in a message and makes no object of it.

Invariants: the slots are laid out anew whenever a name comes or goes, which is rare; every name in them is one in
`values`. There is always a free slot, where a search for an unknown name ends.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyObject
from cython cimport final
from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memset

from mlthon._core.json_scan cimport load8

cdef enum:
    FEWEST_SLOTS = 8

cdef uint64_t SPREAD = 0x9E3779B97F4A7C15         # 2**64 over the golden ratio


@final
cdef class NameTable:
    """A table of objects by name."""

    def __cinit__(self):
        self.values = {}
        self.lay_out()

    def __dealloc__(self):
        PyMem_Free(self.slots)

    cdef int put(self, bytes name, object value) except -1:
        _replaced = self.values.get(name)     # what its end may set off finds the slots laid out
        self.values[name] = value
        self.lay_out()
        return 0

    cdef int drop(self, bytes name) except -1:
        _dropped = self.values.pop(name, None)
        self.lay_out()
        return 0

    cdef object find(self, const char *name, Py_ssize_t size):
        cdef Slot *slot = self.slot_of(name, size)
        return None if slot.name is NULL else <object>slot.value

    cdef int lay_out(self) except -1:
        """Put all names into the slots; without a larger number of them, nothing can go wrong."""
        cdef Py_ssize_t count = self.slot_count if self.slot_count else FEWEST_SLOTS
        cdef Slot *slots
        cdef Slot *slot
        cdef bytes name
        while count < 2 * len(self.values):
            count *= 2
        if count > self.slot_count:
            slots = <Slot *>PyMem_Calloc(count, sizeof(Slot))
            if slots is NULL:
                raise MemoryError(f"no memory for a table of {len(self.values)} names")
            PyMem_Free(self.slots)
            self.slots = slots
            self.slot_count = count
        memset(self.slots, 0, count * sizeof(Slot))
        for name, value in self.values.items():
            slot = self.slot_of(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
            slot.name = PyBytes_AS_STRING(name)
            slot.size = PyBytes_GET_SIZE(name)
            slot.value = <PyObject *>value
        return 0

    cdef Slot *slot_of(self, const char *name, Py_ssize_t size) noexcept:
        """Where a name is, or else the free slot where it would be put."""
        # Names of a kind differ in their last letters.
        cdef uint64_t tail = load8(name + size - 8 if size > 8 else name, name + size)
        cdef uint64_t spread = (tail + <uint64_t>size) * SPREAD
        cdef Py_ssize_t index = <Py_ssize_t>(spread >> 40) & (self.slot_count - 1)
        while self.slots[index].name is not NULL:
            if self.slots[index].size == size and memcmp(self.slots[index].name, name, size) == 0:
                break
            index = (index + 1) & (self.slot_count - 1)
        return &self.slots[index]
