"""Price, Qty and MLDecimal: exact decimal values with a 128-bit mantissa at 18 decimals.

Invariants: a value never changes after construction; every result is exact or, for products and quotients,
rounded half-even once at the 18th decimal; what does not fit raises OverflowError. The three types never mix
by accident:

    X + X, X - X, -X, +X, abs(X)                    X
    X * int, int * X, X / int                       X
    Price * Qty, Qty * Price                        MLDecimal (a notional)
    MLDecimal * any of the three, either order      MLDecimal
    X / X                                           MLDecimal (a ratio)
    MLDecimal / Price                               Qty (what a notional buys)
    MLDecimal / Qty                                 Price (an average price)

Everything else, floats above all, is a TypeError. Values compare exactly with their own type, int and Decimal;
a comparison with a float is a TypeError, also by == and !=.
"""

import decimal
import sys

cimport cython
from cpython.bool cimport PyBool_Check
from cpython.bytes cimport PyBytes_Check
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_Check
from cpython.long cimport PyLong_Check
from cpython.object cimport Py_EQ, Py_GT, Py_LE, Py_LT, Py_NE, PyObject_RichCompare
from cpython.unicode cimport PyUnicode_Check
from libc.math cimport isfinite
from libc.stdint cimport uint64_t

from mlthon._core.block_pool cimport new_from_pool, use_pool
from mlthon._core.decimal_text cimport format_mantissa
from mlthon._core.int128 cimport (
    SCALE,
    add_overflows,
    ceil_to_overflows,
    div_rounded_overflows,
    div_scaled_overflows,
    floor_to_overflows,
    magnitude_of,
    mul_overflows,
    mul_scaled_overflows,
    round_to_overflows,
    sub_overflows,
    uint128,
)

cdef enum:
    PUBLISHED_DECIMALS = 8            # str() shows at least these

cdef uint128 TEN_DECIMALS = 10**10
cdef uint128 EXACT_DOUBLES = 2**53    # up to here every integer is a double
cdef uint64_t HASH_MODULUS = sys.hash_info.modulus                       # 2**61 - 1
cdef uint64_t HASH_UNIT = pow(10, -18, sys.hash_info.modulus)           # the hash of 10**-18

cdef object Decimal = decimal.Decimal
cdef object ZERO = 0
cdef object ONE = 10**18              # the mantissa of one, as a Python int
cdef str RANGE = "+-170141183460469231731.687303715884105727"


cdef class Fixed:
    """What Price, Qty and MLDecimal share; not to be made itself.

    >>> from mlthon.basics.price import Price
    >>> isinstance(Price("1"), Fixed)
    True
    """

    def __cinit__(self, value=0):
        expect_value_type(type(self))
        if value is ZERO:
            return
        if PyUnicode_Check(value) or PyBytes_Check(value):
            mantissa_of_text(value, &self.mantissa)
        elif PyLong_Check(value) and not PyBool_Check(value):
            mantissa_of_int(value, &self.mantissa)
        elif type(value) is type(self):
            self.mantissa = (<Fixed>value).mantissa
        elif isinstance(value, Decimal):
            mantissa_of_text(str(value), &self.mantissa)
        else:
            raise TypeError(refused_value(self, value))

    @classmethod
    def from_mantissa(cls, mantissa):
        """Build the value ``mantissa / 10**18``.

        Raises TypeError for anything but an int, OverflowError beyond 128 bits.

        >>> from mlthon.basics.qty import Qty
        >>> Qty.from_mantissa(25 * 10**17)
        Qty('2.50000000')
        """
        cdef int128 checked
        expect_value_type(cls)
        int128_of(mantissa, &checked)
        return of_type(cls, checked)

    @classmethod
    def from_float(cls, x, tick):
        """Build the multiple of ``tick`` nearest to a float, ties to the even multiple.

        ``tick`` is a positive value of this type, or what its constructor takes. Raises ValueError for NaN
        and infinities, OverflowError beyond the range.

        >>> from mlthon.basics.price import Price
        >>> Price.from_float(0.1 + 0.2, "0.01")
        Price('0.30000000')
        """
        cdef int128 result
        expect_value_type(cls)
        cdef Fixed step = positive_tick(cls, tick)
        if not PyFloat_Check(x) and not is_integer(x):
            raise TypeError(f"{cls.__name__}.from_float: expected a float, got {type(x).__name__}")
        if PyFloat_Check(x) and not isfinite(PyFloat_AS_DOUBLE(x)):
            raise ValueError(f"{cls.__name__}.from_float: expected a finite number, got {x!r}")
        numerator, denominator = x.as_integer_ratio()
        count = nearest(numerator * ONE, denominator * step.mantissa)
        if not mantissa_fits(count * step.mantissa, &result):
            raise OverflowError(f"{cls.__name__}.from_float: {x!r} is beyond {RANGE}")
        return of_type(cls, result)

    # -- comparison --------------------------------------------------------------------------------

    def __richcmp__(self, other, int op):
        cdef int128 left, right
        if type(other) is not type(self):
            return compare_with_number(self, other, op)
        left = self.mantissa
        right = (<Fixed>other).mantissa
        if op == Py_EQ:
            return left == right
        if op == Py_NE:
            return left != right
        if op == Py_LT:
            return left < right
        if op == Py_LE:
            return left <= right
        if op == Py_GT:
            return left > right
        return left >= right

    def __hash__(self):
        """The hash of the equal Decimal: the mantissa times the hash of 10**-18, modulo 2**61 - 1."""
        cdef uint128 magnitude = magnitude_of(self.mantissa)
        cdef uint128 folded = (magnitude % HASH_MODULUS) * HASH_UNIT
        cdef Py_hash_t result = <Py_hash_t>(folded % HASH_MODULUS)
        return -result if self.mantissa < 0 else result

    def __bool__(self):
        return self.mantissa != 0

    def is_zero(self):
        """Tell whether the value is zero."""
        return self.mantissa == 0

    def sign(self):
        """Return -1, 0 or 1."""
        return (self.mantissa > 0) - (self.mantissa < 0)

    # -- arithmetic --------------------------------------------------------------------------------

    def __add__(self, other):
        cdef int128 result
        if type(other) is not type(self):
            return not_defined(self, "+", other)
        if add_overflows(self.mantissa, (<Fixed>other).mantissa, &result):
            raise overflow(self)
        return same_type(self, result)

    def __radd__(self, other):
        return not_defined(other, "+", self)

    def __sub__(self, other):
        cdef int128 result
        if type(other) is not type(self):
            return not_defined(self, "-", other)
        if sub_overflows(self.mantissa, (<Fixed>other).mantissa, &result):
            raise overflow(self)
        return same_type(self, result)

    def __rsub__(self, other):
        return not_defined(other, "-", self)

    def __mul__(self, other):
        cdef int128 result
        if is_integer(other):
            int128_of(other, &result)
            if mul_overflows(self.mantissa, result, &result):
                raise overflow(self)
            return same_type(self, result)
        if not has_product(self, other):
            return not_defined(self, "*", other)
        if mul_scaled_overflows(self.mantissa, (<Fixed>other).mantissa, &result):
            raise overflow(self)
        return mldecimal_from(result)

    def __rmul__(self, other):
        if is_integer(other):
            return self * other
        return not_defined(other, "*", self)

    def __truediv__(self, other):
        cdef int128 result
        cdef type kind = quotient_type(self, other)
        if kind is None:
            return not_defined(self, "/", other)
        if not other:
            raise ZeroDivisionError(f"{type(self).__name__} / 0")
        if is_integer(other):
            int128_of(other, &result)
            if div_rounded_overflows(self.mantissa, result, &result):
                raise overflow(self)
            return same_type(self, result)
        if div_scaled_overflows(self.mantissa, (<Fixed>other).mantissa, &result):
            raise overflow(self)
        return of_type(kind, result)

    def __rtruediv__(self, other):
        return not_defined(other, "/", self)

    def __neg__(self):
        cdef int128 result
        if sub_overflows(0, self.mantissa, &result):
            raise overflow(self)
        return same_type(self, result)

    def __pos__(self):
        return self

    def __abs__(self):
        return -self if self.mantissa < 0 else self

    # -- rounding ----------------------------------------------------------------------------------

    def round_down(self, tick):
        """Return the greatest multiple of ``tick`` that is not above the value.

        ``tick`` is a positive value of the same type, or what its constructor takes.

        >>> from mlthon.basics.price import Price
        >>> Price("9226.74").round_down("0.5"), Price("-0.1").round_down("0.5")
        (Price('9226.50000000'), Price('-0.50000000'))
        """
        cdef int128 result
        if floor_to_overflows(self.mantissa, positive_tick(type(self), tick).mantissa, &result):
            raise overflow(self)
        return same_type(self, result)

    def round_up(self, tick):
        """Return the least multiple of ``tick`` that is not below the value.

        >>> from mlthon.basics.price import Price
        >>> Price("9226.74").round_up("0.5")
        Price('9227.00000000')
        """
        cdef int128 result
        if ceil_to_overflows(self.mantissa, positive_tick(type(self), tick).mantissa, &result):
            raise overflow(self)
        return same_type(self, result)

    def round_nearest(self, tick):
        """Return the nearest multiple of ``tick``; a tie goes to the even multiple.

        >>> from mlthon.basics.price import Price
        >>> Price("9226.75").round_nearest("0.5"), Price("9226.25").round_nearest("0.5")
        (Price('9227.00000000'), Price('9226.00000000'))
        """
        cdef int128 result
        if round_to_overflows(self.mantissa, positive_tick(type(self), tick).mantissa, &result):
            raise overflow(self)
        return same_type(self, result)

    # -- text and other types ----------------------------------------------------------------------

    def __str__(self):
        return mantissa_to_text(self.mantissa, PUBLISHED_DECIMALS)

    def __repr__(self):
        return f"{type(self).__name__}('{mantissa_to_text(self.mantissa, PUBLISHED_DECIMALS)}')"

    def __format__(self, str spec not None):
        return format_mantissa(self.mantissa, spec, PUBLISHED_DECIMALS)

    def to_str(self):
        """Return the exact decimal text, with at least 8 decimals; the same as ``str()``."""
        return mantissa_to_text(self.mantissa, PUBLISHED_DECIMALS)

    def to_decimal(self):
        """Return the equal ``decimal.Decimal``, without trailing zeros after the point."""
        return Decimal(mantissa_to_text(self.mantissa, 0))

    def to_float(self):
        """Return the float nearest to the value: for reports, not for arithmetic on money."""
        cdef uint128 magnitude = magnitude_of(self.mantissa)
        cdef uint128 short = magnitude // TEN_DECIMALS
        cdef double ratio
        if short <= EXACT_DOUBLES and short * TEN_DECIMALS == magnitude:
            ratio = <double>short / 1e8                   # both exact, so rounded once
            return -ratio if self.mantissa < 0 else ratio
        return self.mantissa / ONE

    def __reduce__(self):
        return type(self), (mantissa_to_text(self.mantissa, PUBLISHED_DECIMALS),)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


@cython.final
cdef class Price(Fixed):
    """A price: exact, at most 18 decimals, up to about 1.7e20 either side of zero.

    Built from str, bytes, int, Decimal or Price; `Price()` is zero. Raises TypeError for a float (use
    `from_float`), ValueError for text that is not a number or is finer than 18 decimals, OverflowError beyond
    the range. `mantissa` is the value times 10**18, an int.

    >>> bid, ask = Price("9226.5"), Price("9227")
    >>> (bid + ask) / 2, ask > bid, str(bid)
    (Price('9226.75000000'), True, '9226.50000000')
    """

    def to_mldecimal(self):
        """Return the same number as an MLDecimal."""
        return mldecimal_from(self.mantissa)


@cython.final
cdef class Qty(Fixed):
    """A quantity, in the instrument's unit; negative where it is a short position.

    Built, and refused, as `Price` is.

    >>> from mlthon.basics.price import Price
    >>> Qty("0.5") * 3, Qty("0.5") * Price("9226.5")
    (Qty('1.50000000'), MLDecimal('4613.25000000'))
    """

    def to_mldecimal(self):
        """Return the same number as an MLDecimal."""
        return mldecimal_from(self.mantissa)


@cython.final
cdef class MLDecimal(Fixed):
    """A number that is neither a price nor a quantity: a notional, a fee, a rate, a ratio.

    Built, and refused, as `Price` is. Products and quotients are rounded half-even at the 18th decimal.

    >>> from mlthon.basics.price import Price
    >>> notional = MLDecimal("4613.25")
    >>> notional * MLDecimal("0.0002"), notional / Price("9226.5")
    (MLDecimal('0.92265000'), Qty('0.50000000'))
    """


# -- building values -------------------------------------------------------------------------------


use_pool(Price)
use_pool(Qty)
use_pool(MLDecimal)


cdef Price price_from(int128 mantissa):
    return <Price>of_type(Price, mantissa)


cdef Qty qty_from(int128 mantissa):
    return <Qty>of_type(Qty, mantissa)


cdef MLDecimal mldecimal_from(int128 mantissa):
    return <MLDecimal>of_type(MLDecimal, mantissa)


cdef inline Fixed same_type(Fixed like, int128 mantissa):
    return of_type(type(like), mantissa)


cdef inline Fixed of_type(type kind, int128 mantissa):
    """A value of one of the three types, past its constructor."""
    value = <Fixed>new_from_pool(kind)
    value.mantissa = mantissa
    return value


cdef inline int expect_value_type(object kind) except -1:
    """Refuse what does not take its memory from the pool: Fixed itself, and what Python code derives from it."""
    if kind is Price or kind is Qty or kind is MLDecimal:
        return 0
    raise TypeError(f"{kind.__name__} is not a value: use Price, Qty or MLDecimal")


cdef int int128_of(object number, int128 *out) except -1:
    """Convert a Python int that is a mantissa or a factor."""
    if not is_integer(number):
        raise TypeError(f"expected an int, got {type(number).__name__}")
    if not mantissa_fits(number, out):
        raise OverflowError(f"beyond 128 bits: {shown_int(number)}")
    return 0


cdef int mantissa_of_int(object number, int128 *out) except -1:
    """Convert a Python int that is a value."""
    cdef int128 whole
    if not mantissa_fits(number, &whole) or mul_overflows(whole, <int128>SCALE, out):
        raise OverflowError(f"beyond {RANGE}: {shown_int(number)}")
    return 0


cdef bint mantissa_fits(object number, int128 *out) except -1:
    """Convert a Python int if it fits, and tell whether it did."""
    try:
        out[0] = number
    except OverflowError:
        return False
    return True


cdef Fixed positive_tick(type kind, object tick):
    cdef Fixed step
    if PyFloat_Check(tick):
        raise TypeError(f"tick: a float is not exact, write it as text: {kind.__name__}('{tick!r}')")
    step = tick if type(tick) is kind else kind(tick)
    if step.mantissa <= 0:
        raise ValueError(f"tick: expected a positive {kind.__name__}, got {step}")
    return step


cdef object nearest(object numerator, object denominator):
    """Divide Python ints, the denominator positive, half-even."""
    quotient, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and quotient & 1):
        quotient += 1
    return quotient


# -- what may be combined with what ----------------------------------------------------------------


cdef bint is_integer(object number) noexcept:
    return PyLong_Check(number) and not PyBool_Check(number)


cdef bint has_product(Fixed left, object right) noexcept:
    if not isinstance(right, Fixed):
        return False
    return type(left) is MLDecimal or type(right) is MLDecimal or type(left) is not type(right)


cdef type quotient_type(Fixed left, object right):
    """The type of left / right, or None where that means nothing."""
    if is_integer(right):
        return type(left)
    if type(right) is type(left):
        return MLDecimal
    if type(left) is MLDecimal and type(right) is Price:
        return Qty
    if type(left) is MLDecimal and type(right) is Qty:
        return Price
    return None


# -- errors ----------------------------------------------------------------------------------------


cdef object not_defined(object left, str operator, object right):
    """Leave an operation to the other operand, unless that is a float: then say what to do instead."""
    if not PyFloat_Check(left) and not PyFloat_Check(right):
        return NotImplemented
    kind = type(right if PyFloat_Check(left) else left).__name__
    raise TypeError(
        f"{type(left).__name__} {operator} {type(right).__name__}: a float is not exact; "
        f"convert it first with {kind}.from_float(x, tick)"
    )


cdef str refused_value(Fixed made, object value):
    kind = type(made).__name__
    if PyFloat_Check(value):
        return f"{kind}: a float is not exact; use {kind}.from_float({value!r}, tick)"
    remedy = " (use to_mldecimal())" if isinstance(value, Fixed) and type(made) is MLDecimal else ""
    return f"{kind}: expected str, bytes, int, Decimal or {kind}, got {type(value).__name__}{remedy}"


cdef object overflow(Fixed operand):
    return OverflowError(f"{type(operand).__name__}: the result is beyond {RANGE}")


cdef str shown_int(object number):
    """An int for an error message; a huge one by its size, since its digits would cost too much to make."""
    return str(number) if number.bit_length() < 130 else f"an int of {number.bit_length()} bits"


cdef object compare_with_number(Fixed value, object other, int op):
    """Compare with an int or a Decimal, exactly. Whoever compares with a float has lost exactness already: say so."""
    if PyFloat_Check(other):
        name = type(value).__name__
        raise TypeError(f"{name} compared with the float {other!r}: compare with {name}.from_float(x, tick), "
                        "or compare its to_float()")
    if isinstance(other, Decimal) or (PyLong_Check(other) and not PyBool_Check(other)):
        return PyObject_RichCompare(value.to_decimal(), other, op)
    return NotImplemented
