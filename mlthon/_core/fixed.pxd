# Exact fixed-point values for other compiled modules: a 128-bit mantissa at 18 decimals.

from mlthon._core.int128 cimport int128

cdef enum:
    DECIMALS = 18

cdef class Fixed:
    cdef int128 mantissa              # value = mantissa / 10**18; never changes after construction

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

# Parse plain or exponent decimal text. Raises ValueError (not a number, finer than 18 decimals) or OverflowError.
cdef int parse_mantissa(const char *text, Py_ssize_t size, int128 *out) except -1

# The same for a Python str or bytes.
cdef int mantissa_of_text(object text, int128 *out) except -1

# Shortest exact decimal text with at least `min_decimals` decimals.
cdef str mantissa_to_text(int128 mantissa, int min_decimals)
