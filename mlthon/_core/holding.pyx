"""What is held of a contract: the figures of a position, which every new order of an account asks for."""

from mlthon._core.fixed cimport mldecimal_from, qty_from


cdef class Holding:
    """The figures of a `mlthon.order.position.Position`, which counts them."""

    def __cinit__(self):
        self.size = qty_from(0)
        self.entry_value = self.realised = self.fees = mldecimal_from(0)
