# What is held of a contract, for other compiled modules.

from mlthon._core.fixed cimport MLDecimal, Qty

cdef class Holding:
    cdef public Qty size              # positive: long; negative: short
    cdef public MLDecimal entry_value, realised, fees
