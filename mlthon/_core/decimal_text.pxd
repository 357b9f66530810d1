# Decimal text to 128-bit mantissas at 18 decimals, and back.

from mlthon._core.int128 cimport int128

cdef enum:
    DECIMALS = 18

# Parse plain or exponent decimal text. Raises ValueError (not a number, finer than 18 decimals) or
# OverflowError.
cdef int parse_mantissa(const char *text, Py_ssize_t size, int128 *out) except -1

# The same for a Python str or bytes; TypeError for anything else.
cdef int mantissa_of_text(object text, int128 *out) except -1

# Shortest exact decimal text with at least `min_decimals` decimals (0 to 18).
cdef str mantissa_to_text(int128 mantissa, int min_decimals)

# The same by a format() spec: fill, alignment, sign, zero padding, width, comma, and precision with "f".
cdef str format_mantissa(int128 mantissa, str spec, int min_decimals)

# Quote a text for an error message, cut where it is too long to repeat.
cdef str shown(str text)
