"""Decimal text to 128-bit mantissas at 18 decimals, and back: exact, or an error.

Accepted is what venues send: an optional sign, ASCII digits with at most one point, an optional exponent.
Spaces, underscores, `nan`, `inf` and other scripts' digits are not numbers. More than 18 decimals are refused
unless the surplus digits are zeros.
"""

import decimal
import re

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_Check, PyUnicode_DecodeASCII
from libc.stdint cimport int64_t, uint64_t

from mlthon._core.int128 cimport SCALE, append_overflows, int128, magnitude_of, signed_overflows, uint128

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text) noexcept
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef enum:
    SHOWN = 40                        # characters of an offending text that an error repeats
    WORD_DIGITS = 19                  # decimal digits that always fit in 64 bits
    USUAL_DECIMALS = 8                # more than most ticks and lots have
    TEXT_ROOM = 48                    # sign, 21 digits, point, 18 digits

cdef int64_t EXPONENT_CAP = 10**15    # exponents beyond are all alike: far from anything that fits

cdef uint64_t SURPLUS = 10**10        # what the decimals beyond the usual weigh
cdef uint64_t[DECIMALS + 1] POWERS


cdef int fill_powers() except -1:
    cdef int power
    POWERS[0] = 1
    for power in range(1, DECIMALS + 1):
        POWERS[power] = POWERS[power - 1] * 10
    return 0


fill_powers()


cdef int mantissa_of_text(object text, int128 *out) except -1:
    cdef const char *chars
    cdef Py_ssize_t size
    if PyUnicode_Check(text):
        if not PyUnicode_IS_ASCII(text):
            raise ValueError(f"not a decimal number: {shown(text)}")
        chars = PyUnicode_AsUTF8AndSize(text, &size)
        return parse_mantissa(chars, size, out)
    if PyBytes_Check(text):
        return parse_mantissa(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), out)
    raise TypeError(f"expected str or bytes, got {type(text).__name__}")


cdef int parse_mantissa(const char *text, Py_ssize_t size, int128 *out) except -1:
    cdef const char *at = text
    cdef const char *end = text + size
    cdef const char *start
    cdef bint negative = False
    cdef uint64_t digits = 0          # wraps on long texts, which then take the general way
    cdef Py_ssize_t count
    cdef Py_ssize_t decimals = 0
    cdef uint128 magnitude
    if at < end and (at[0] == c"-" or at[0] == c"+"):
        negative = at[0] == c"-"
        at += 1
    start = at
    while at < end and c"0" <= at[0] <= c"9":
        digits = digits * 10 + <uint64_t>(at[0] - c"0")
        at += 1
    count = at - start
    if at < end and at[0] == c".":
        at += 1
        start = at
        while at < end and c"0" <= at[0] <= c"9":
            digits = digits * 10 + <uint64_t>(at[0] - c"0")
            at += 1
        decimals = at - start
        count += decimals
    if at != end or count == 0 or count > WORD_DIGITS or decimals > DECIMALS:
        return parse_any(text, size, out)
    magnitude = digits
    magnitude *= POWERS[DECIMALS - decimals]        # 19 digits x 10**18 fits by far
    signed_overflows(magnitude, negative, out)
    return 0


cdef int parse_any(const char *text, Py_ssize_t size, int128 *out) except -1:
    """Parse by the full grammar: any number of digits, and an exponent."""
    cdef Py_ssize_t at = 0
    cdef bint negative = False, has_digit = False, has_point = False, too_long = False
    cdef int64_t decimals = 0         # digits after the point
    cdef int64_t zeros = 0            # zeros since the last digit that counted
    cdef int64_t power
    cdef uint128 magnitude = 0
    cdef char char
    if size > 0 and (text[0] == c"-" or text[0] == c"+"):
        negative = text[0] == c"-"
        at = 1
    while at < size:
        char = text[at]
        if char == c"." and not has_point:
            has_point = True
        elif c"0" <= char <= c"9":
            has_digit = True
            decimals += has_point
            zeros += 1
            if char != c"0":
                too_long = too_long or append_overflows(&magnitude, zeros, <unsigned>(char - c"0"))
                zeros = 0
        else:
            break
        at += 1
    if not has_digit:
        raise ValueError(f"not a decimal number: {shown_chars(text, size)}")
    power = parse_exponent(text, size, at) + zeros - decimals + DECIMALS
    if magnitude == 0 and not too_long:
        out[0] = 0
        return 0
    if power < 0:
        raise ValueError(f"finer than {DECIMALS} decimals: {shown_chars(text, size)}")
    if too_long or append_overflows(&magnitude, power, 0) or signed_overflows(magnitude, negative, out):
        raise OverflowError(f"beyond the range of a fixed-point number: {shown_chars(text, size)}")
    return 0


cdef int64_t parse_exponent(const char *text, Py_ssize_t size, Py_ssize_t at) except? -1:
    """Read `e[+-]digits` from `at` to the end of the text; 0 when the text ends there."""
    cdef bint negative = False
    cdef int64_t exponent = 0
    cdef Py_ssize_t start
    if at == size:
        return 0
    if text[at] == c"e" or text[at] == c"E":
        at += 1
        if at < size and (text[at] == c"-" or text[at] == c"+"):
            negative = text[at] == c"-"
            at += 1
        start = at
        while at < size and c"0" <= text[at] <= c"9":
            if exponent < EXPONENT_CAP:
                exponent = exponent * 10 + (text[at] - c"0")
            at += 1
        if at == size and at > start:
            return -exponent if negative else exponent
    raise ValueError(f"not a decimal number: {shown_chars(text, size)}")


cdef str mantissa_to_text(int128 mantissa, int min_decimals):
    cdef char[TEXT_ROOM] room
    cdef char *end = room + TEXT_ROOM
    cdef char *at = end
    cdef uint128 magnitude = magnitude_of(mantissa)
    cdef uint128 whole = magnitude // SCALE
    cdef uint64_t fraction = <uint64_t>(magnitude - whole * SCALE)
    cdef int decimals = DECIMALS
    if min_decimals <= USUAL_DECIMALS and fraction % SURPLUS == 0:
        fraction //= SURPLUS          # at one stroke: most values have no more
        decimals = USUAL_DECIMALS
    while decimals > min_decimals and fraction % 10 == 0:
        fraction //= 10
        decimals -= 1
    if decimals > 0:
        at = put_digits(at, fraction, decimals)
        at -= 1
        at[0] = c"."
    if whole >= SCALE:
        at = put_digits(at, <uint64_t>(whole % SCALE), DECIMALS)
        whole = whole // SCALE
    at = put_digits(at, <uint64_t>whole, 1)
    if mantissa < 0:
        at -= 1
        at[0] = c"-"
    return PyUnicode_DecodeASCII(at, end - at, NULL)


cdef char *put_digits(char *end, uint64_t value, int width) noexcept:
    """Write the value right-aligned before `end`, zero-padded to the width; return where it starts."""
    cdef char *stop = end - width
    while value != 0:
        end -= 1
        end[0] = <char>(c"0" + value % 10)
        value //= 10
    while end > stop:
        end -= 1
        end[0] = c"0"
    return end


# Decimal pads and groups, once the precision is settled: its own rounding would be by the caller's context.
cdef object Decimal = decimal.Decimal
cdef object SPEC = re.compile(r"((?:.?[<>=^])?[-+ ]?0?[0-9]{0,4},?)(?:(\.[0-9]{1,4})?f)?", re.DOTALL)
cdef object WIDE = decimal.Context(prec=60, rounding=decimal.ROUND_HALF_EVEN)


cdef str format_mantissa(int128 mantissa, str spec, int min_decimals):
    cdef str text = mantissa_to_text(mantissa, min_decimals)
    if not spec:
        return text
    match = SPEC.fullmatch(spec)
    if match is None:
        raise ValueError(
            "expected a format like '.2f', '>20' or '+,.8f' (fill, alignment, sign, width, comma, precision, "
            f"f; at most 9999 wide), got {shown(spec)}"
        )
    layout, precision = match.groups()
    if precision is None:
        return format(Decimal(text), layout + "f")
    decimals = int(precision[1:])
    value = Decimal(text)
    if decimals < DECIMALS:
        value = value.quantize(Decimal(1).scaleb(-decimals), context=WIDE)
    return format(value, f"{layout}.{decimals}f")


cdef str shown_chars(const char *text, Py_ssize_t size):
    return shown((<bytes>text[:min(size, SHOWN + 1)]).decode("ascii", "backslashreplace"))


cdef str shown(str text):
    """Quote a text for an error message, cut where it is too long to repeat."""
    return repr(text) if len(text) <= SHOWN else repr(text[:SHOWN]) + "..."
