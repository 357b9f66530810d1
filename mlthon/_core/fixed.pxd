# Exact fixed-point values for other compiled modules: a 128-bit mantissa at 18 decimals.

from mlthon._core.int128 cimport int128

# Text to mantissa and back: cimport these from here or from decimal_text.
from mlthon._core.decimal_text cimport DECIMALS, mantissa_of_text, mantissa_to_text, parse_mantissa

cdef class Fixed:
    cdef readonly int128 mantissa     # value = mantissa / 10**18; never changes after construction

cdef class Price(Fixed):
    pass

cdef class Qty(Fixed):
    pass

cdef class MLDecimal(Fixed):
    pass

# Build a value from a mantissa without any checks: the fast way out of compiled code.
cdef Price price_from(int128 mantissa)
cdef Qty qty_from(int128 mantissa)
cdef MLDecimal mldecimal_from(int128 mantissa)
