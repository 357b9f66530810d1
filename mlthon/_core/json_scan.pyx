"""Reading plain JSON in place: what is too rare, or too long, for json_scan.pxd to have inline.

That file says what plain means, and what the functions promise.
"""

from libc.stdint cimport uint64_t
from libc.string cimport strncmp

from mlthon._core.int128 cimport int128, uint128

cdef enum:
    MOST_NESTED = 64                  # values inside each other
    WORD_DIGITS = 19                  # decimal digits that always fit in 64 bits


cdef const char *scan_wide_decimal(const char *at, const char *end, int128 *out) noexcept nogil:
    cdef uint64_t word = load8(at, end)
    cdef uint64_t whole = before(not_digits(word))
    cdef uint64_t decimals
    cdef uint64_t digits
    if whole == 0 or at[whole] != c".":
        return scan_long_decimal(at, out)
    digits = digits_value(word, whole)
    word = load8(at + whole + 1, end)
    decimals = before(not_digits(word))
    if decimals == 0 or at[whole + 1 + decimals] != c'"':
        return scan_long_decimal(at, out)
    digits = digits * POWER_OF_TEN[decimals] + digits_value(word, decimals)
    out[0] = <int128>(<uint128>digits * POWER_OF_TEN[MOST_DECIMALS - decimals])
    return at + whole + decimals + 2


cdef const char *scan_long_decimal(const char *at, int128 *out) noexcept nogil:
    """The same for any number of digits that fits in 64 bits, one by one."""
    cdef uint64_t value = 0
    cdef int digits = 0
    cdef int decimals = 0
    cdef bint has_point = False
    while digits <= WORD_DIGITS:
        if c"0" <= at[0] <= c"9":
            value = value * 10 + <uint64_t>(at[0] - c"0")     # wraps with the 20th digit, which ends the loop
            digits += 1
            decimals += has_point
        elif at[0] == c"." and not has_point:
            has_point = True
        else:
            break
        at += 1
    if at[0] != c'"' or not 0 < digits <= WORD_DIGITS or decimals > MOST_DECIMALS:
        return NULL
    out[0] = <int128>(<uint128>value * POWER_OF_TEN[MOST_DECIMALS - decimals])
    return at + 1


cdef const char *skip_value(const char *at, const char *end) noexcept nogil:
    """Any value, and the space behind it."""
    cdef uint64_t objects = 0         # what we are inside of, innermost lowest: 1 an object, 0 a list
    cdef int depth = 0
    while True:
        if at[0] == c"{" or at[0] == c"[":
            if depth == MOST_NESTED:
                return NULL
            objects = objects << 1 | (at[0] == c"{")
            depth += 1
            at = skip_space(at + 1)
            if at[0] != (c"}" if objects & 1 else c"]"):
                if objects & 1:
                    at = scan_name(at, end)
                if at is NULL:
                    return NULL
                continue
        else:
            at = skip_scalar(at, end)
            if at is NULL:
                return NULL
            at = skip_space(at)
        while depth and at[0] == (c"}" if objects & 1 else c"]"):
            objects >>= 1
            depth -= 1
            at = skip_space(at + 1)
        if depth == 0:
            return at
        if at[0] != c",":
            return NULL
        at = skip_space(at + 1)
        if objects & 1:
            at = scan_name(at, end)
            if at is NULL:
                return NULL


cdef const char *skip_scalar(const char *at, const char *end) noexcept nogil:
    """A string, a number, true, false or null."""
    if at[0] == c'"':
        return scan_string(at + 1, end)
    if at[0] == c"t":
        return at + 4 if strncmp(at, "true", 4) == 0 else NULL
    if at[0] == c"f":
        return at + 5 if strncmp(at, "false", 5) == 0 else NULL
    if at[0] == c"n":
        return at + 4 if strncmp(at, "null", 4) == 0 else NULL
    return skip_number(at, end)


cdef const char *skip_number(const char *at, const char *end) noexcept nogil:
    cdef uint64_t whole
    cdef const char *start
    at = scan_integer(at + (at[0] == c"-"), end, &whole)
    if at is NULL or at[0] != c".":
        return at
    at += 1
    start = at
    while c"0" <= at[0] <= c"9":
        at += 1
    return at if at > start else NULL


cdef const char *skip_member(const char *at, const char *end) noexcept nogil:
    at = scan_name(at, end)
    if at is NULL:
        return NULL
    return skip_value(at, end)


cdef const char *scan_name(const char *at, const char *end) noexcept nogil:
    """A member's name, its colon, and the space behind."""
    if at[0] != c'"':
        return NULL
    at = scan_string(at + 1, end)
    if at is NULL:
        return NULL
    return scan_char(at, c":")
