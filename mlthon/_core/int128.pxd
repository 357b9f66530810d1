# Signed 128-bit integers: the type, and the few operations that can go wrong.
#
# An addition, a negation or a product that does not fit is reported, never wrapped.
# All values here are mantissas at 18 decimals unless a name says otherwise.

from libc.stdint cimport int64_t, uint64_t

cdef extern from *:
    """
    typedef __int128 mlthon_int128;
    typedef unsigned __int128 mlthon_uint128;

    #define MLTHON_INT128_MAX ((mlthon_int128)(((mlthon_uint128)-1) >> 1))
    #define MLTHON_INT128_MIN (-MLTHON_INT128_MAX - 1)

    /* Each returns 0 and stores the result, or returns non-zero when it does not fit. */
    static inline int mlthon_add(mlthon_int128 a, mlthon_int128 b, mlthon_int128 *out) {
        return __builtin_add_overflow(a, b, out);
    }
    static inline int mlthon_sub(mlthon_int128 a, mlthon_int128 b, mlthon_int128 *out) {
        return __builtin_sub_overflow(a, b, out);
    }
    static inline int mlthon_mul(mlthon_int128 a, mlthon_int128 b, mlthon_int128 *out) {
        return __builtin_mul_overflow(a, b, out);
    }
    """
    # Cython is told "long long" so that it emits plain C operators; the C type is 128 bits wide.
    ctypedef long long int128 "mlthon_int128"
    ctypedef unsigned long long uint128 "mlthon_uint128"

    const int128 INT128_MAX "MLTHON_INT128_MAX"
    const int128 INT128_MIN "MLTHON_INT128_MIN"

    bint add_overflows "mlthon_add"(int128 a, int128 b, int128 *out) noexcept nogil
    bint sub_overflows "mlthon_sub"(int128 a, int128 b, int128 *out) noexcept nogil
    bint mul_overflows "mlthon_mul"(int128 a, int128 b, int128 *out) noexcept nogil
