# Signed 128-bit integers: the type, and the few operations that can go wrong.
#
# An addition, a negation or a product that does not fit is reported, never wrapped.
# All values here are mantissas at 18 decimals unless a name says otherwise.
#
# Every function that can fail returns 0 and stores its result, or returns non-zero when that does not fit.

from libc.stdint cimport int64_t, uint64_t

cdef extern from *:
    """
    #ifndef MLTHON_INT128
    #define MLTHON_INT128

    #include <stdint.h>

    typedef __int128 mlthon_int128;
    typedef unsigned __int128 mlthon_uint128;

    #define MLTHON_INT128_MAX ((mlthon_int128)(((mlthon_uint128)-1) >> 1))
    #define MLTHON_INT128_MIN (-MLTHON_INT128_MAX - 1)
    #define MLTHON_SCALE ((mlthon_uint128)1000000000000000000ULL)

    static inline int mlthon_add(mlthon_int128 a, mlthon_int128 b, mlthon_int128 *out) {
        return __builtin_add_overflow(a, b, out);
    }
    static inline int mlthon_sub(mlthon_int128 a, mlthon_int128 b, mlthon_int128 *out) {
        return __builtin_sub_overflow(a, b, out);
    }
    static inline int mlthon_mul(mlthon_int128 a, mlthon_int128 b, mlthon_int128 *out) {
        return __builtin_mul_overflow(a, b, out);
    }

    /* |value|, exact for the most negative value too. */
    static inline mlthon_uint128 mlthon_magnitude(mlthon_int128 value) {
        return value < 0 ? -(mlthon_uint128)value : (mlthon_uint128)value;
    }
    static inline int mlthon_signed(mlthon_uint128 magnitude, int negative, mlthon_int128 *out) {
        if (magnitude > (mlthon_uint128)MLTHON_INT128_MAX + (negative != 0))
            return 1;
        *out = (mlthon_int128)(negative ? -magnitude : magnitude);
        return 0;
    }

    /* magnitude * 10**power + digit, in place. */
    static inline int mlthon_append_digits(mlthon_uint128 *magnitude, int64_t power, unsigned digit) {
        if (*magnitude != 0) {
            if (power > 39)
                return 1;
            for (; power > 0; power--)
                if (__builtin_mul_overflow(*magnitude, (mlthon_uint128)10, magnitude))
                    return 1;
        }
        return __builtin_add_overflow(*magnitude, (mlthon_uint128)digit, magnitude);
    }

    /* a * b as 256 bits. */
    static inline void mlthon_wide_product(mlthon_uint128 a, mlthon_uint128 b,
                                           mlthon_uint128 *high, mlthon_uint128 *low) {
        uint64_t a1 = (uint64_t)(a >> 64), a0 = (uint64_t)a, b1 = (uint64_t)(b >> 64), b0 = (uint64_t)b;
        mlthon_uint128 bottom = (mlthon_uint128)a0 * b0, cross = (mlthon_uint128)a1 * b0;
        mlthon_uint128 middle = (mlthon_uint128)a0 * b1 + (uint64_t)cross + (uint64_t)(bottom >> 64);
        *low = (middle << 64) | (uint64_t)bottom;
        *high = (mlthon_uint128)a1 * b1 + (cross >> 64) + (middle >> 64);
    }

    /* One step of long division (Knuth's D): rest:next by divisor, whose top bit is set, rest less than it. */
    static inline uint64_t mlthon_quotient_word(mlthon_uint128 *rest, uint64_t next, mlthon_uint128 divisor) {
        uint64_t d1 = (uint64_t)(divisor >> 64), d0 = (uint64_t)divisor;
        mlthon_uint128 guess, left;
        if ((uint64_t)(*rest >> 64) >= d1) {
            guess = UINT64_MAX;
            left = (mlthon_uint128)(uint64_t)*rest + d1;
        } else {
            guess = *rest / d1;
            left = *rest - guess * d1;
        }
        for (; left <= UINT64_MAX && guess * d0 > ((left << 64) | next); left += d1)
            guess--;                            /* at most twice */
        *rest = ((*rest << 64) | next) - guess * divisor;
        return (uint64_t)guess;
    }

    /* The 256 bits high:low by divisor (at most 2**127), half-even; fails when it needs more than 128. */
    static inline int mlthon_wide_quotient(mlthon_uint128 high, mlthon_uint128 low, mlthon_uint128 divisor,
                                           mlthon_uint128 *out) {
        mlthon_uint128 quotient, rest;
        if (high >= divisor)
            return 1;
        if (high == 0) {
            quotient = low / divisor;
            rest = low - quotient * divisor;
        } else if ((divisor >> 64) == 0) {      /* then high < 2**64: two schoolbook steps */
            mlthon_uint128 part = (high << 64) | (low >> 64), upper = part / divisor;
            part = ((part - upper * divisor) << 64) | (uint64_t)low;
            quotient = part / divisor;
            rest = part - quotient * divisor;
            quotient |= upper << 64;
        } else {                                /* the same, with a divisor of two words */
            int shift = __builtin_clzll((uint64_t)(divisor >> 64));
            mlthon_uint128 top = divisor << shift;
            rest = shift ? (high << shift) | (low >> (128 - shift)) : high;
            low <<= shift;
            quotient = (mlthon_uint128)mlthon_quotient_word(&rest, (uint64_t)(low >> 64), top) << 64;
            quotient |= mlthon_quotient_word(&rest, (uint64_t)low, top);
            rest >>= shift;
        }
        if (rest > divisor - rest || (rest == divisor - rest && (quotient & 1)))
            if (++quotient == 0)
                return 1;
        *out = quotient;
        return 0;
    }

    /* a * b of two mantissas as a mantissa, half-even at the last decimal. */
    static inline int mlthon_mul_scaled(mlthon_int128 a, mlthon_int128 b, mlthon_int128 *out) {
        mlthon_uint128 high, low, magnitude;
        mlthon_wide_product(mlthon_magnitude(a), mlthon_magnitude(b), &high, &low);
        return mlthon_wide_quotient(high, low, MLTHON_SCALE, &magnitude)
            || mlthon_signed(magnitude, (a < 0) != (b < 0), out);
    }

    /* a / b of two mantissas as a mantissa, half-even at the last decimal. b is not 0. */
    static inline int mlthon_div_scaled(mlthon_int128 a, mlthon_int128 b, mlthon_int128 *out) {
        mlthon_uint128 high, low, magnitude;
        mlthon_wide_product(mlthon_magnitude(a), MLTHON_SCALE, &high, &low);
        return mlthon_wide_quotient(high, low, mlthon_magnitude(b), &magnitude)
            || mlthon_signed(magnitude, (a < 0) != (b < 0), out);
    }

    /* a / b of plain integers, half-even. b is not 0. */
    static inline int mlthon_div_rounded(mlthon_int128 a, mlthon_int128 b, mlthon_int128 *out) {
        mlthon_uint128 magnitude;
        return mlthon_wide_quotient(0, mlthon_magnitude(a), mlthon_magnitude(b), &magnitude)
            || mlthon_signed(magnitude, (a < 0) != (b < 0), out);
    }

    /* a * b / c of plain integers, the product in full, half-even. c is not 0. */
    static inline int mlthon_mul_div(mlthon_int128 a, mlthon_int128 b, mlthon_int128 c, mlthon_int128 *out) {
        mlthon_uint128 high, low, magnitude;
        mlthon_wide_product(mlthon_magnitude(a), mlthon_magnitude(b), &high, &low);
        return mlthon_wide_quotient(high, low, mlthon_magnitude(c), &magnitude)
            || mlthon_signed(magnitude, (a < 0) != ((b < 0) != (c < 0)), out);
    }

    /* Multiples of step (> 0): the greatest not above a, the least not below, the nearest (ties to even). */
    static inline mlthon_int128 mlthon_above_multiple(mlthon_int128 a, mlthon_int128 step) {
        mlthon_int128 rest = a % step;
        return rest < 0 ? rest + step : rest;
    }
    static inline int mlthon_floor_to(mlthon_int128 a, mlthon_int128 step, mlthon_int128 *out) {
        return mlthon_sub(a, mlthon_above_multiple(a, step), out);
    }
    static inline int mlthon_ceil_to(mlthon_int128 a, mlthon_int128 step, mlthon_int128 *out) {
        mlthon_int128 above = mlthon_above_multiple(a, step);
        return mlthon_add(a, above == 0 ? 0 : step - above, out);
    }
    static inline int mlthon_round_to(mlthon_int128 a, mlthon_int128 step, mlthon_int128 *out) {
        mlthon_int128 count;
        return mlthon_div_rounded(a, step, &count) || mlthon_mul(count, step, out);
    }

    #endif
    """
    # Cython is told "long long" so that it emits plain C operators; the C type is 128 bits wide. It sizes its
    # conversions from and to Python int by sizeof, so those are right too.
    ctypedef long long int128 "mlthon_int128"
    ctypedef unsigned long long uint128 "mlthon_uint128"

    const int128 INT128_MAX "MLTHON_INT128_MAX"
    const int128 INT128_MIN "MLTHON_INT128_MIN"
    const uint128 SCALE "MLTHON_SCALE"          # 10**18, the mantissa of one

    bint add_overflows "mlthon_add"(int128 a, int128 b, int128 *out) noexcept nogil
    bint sub_overflows "mlthon_sub"(int128 a, int128 b, int128 *out) noexcept nogil
    bint mul_overflows "mlthon_mul"(int128 a, int128 b, int128 *out) noexcept nogil

    uint128 magnitude_of "mlthon_magnitude"(int128 value) noexcept nogil
    bint signed_overflows "mlthon_signed"(uint128 magnitude, bint negative, int128 *out) noexcept nogil
    bint append_overflows "mlthon_append_digits"(
        uint128 *magnitude, int64_t power, unsigned digit
    ) noexcept nogil

    bint mul_scaled_overflows "mlthon_mul_scaled"(int128 a, int128 b, int128 *out) noexcept nogil
    bint div_scaled_overflows "mlthon_div_scaled"(int128 a, int128 b, int128 *out) noexcept nogil
    bint div_rounded_overflows "mlthon_div_rounded"(int128 a, int128 b, int128 *out) noexcept nogil

    bint mul_div_overflows "mlthon_mul_div"(int128 a, int128 b, int128 c, int128 *out) noexcept nogil

    bint floor_to_overflows "mlthon_floor_to"(int128 a, int128 step, int128 *out) noexcept nogil
    bint ceil_to_overflows "mlthon_ceil_to"(int128 a, int128 step, int128 *out) noexcept nogil
    bint round_to_overflows "mlthon_round_to"(int128 a, int128 step, int128 *out) noexcept nogil
