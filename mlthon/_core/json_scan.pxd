# Reading plain JSON in place, eight characters at a time.
#
# Plain is what machines write: ASCII strings without escapes, numbers without an exponent and of at most 18 digits
# before the point, at most 64 values inside each other. A scan_* function takes a place in the text and returns the
# place behind what it has read, or NULL where that is not plain JSON, or not what it reads. NULL does not say that
# the text is wrong: a parser that knows all of JSON has to judge it.
#
# The text ends with a NUL that does not belong to it, as that of `bytes` does; `end` is where that stands.
# Everything read is checked as strictly as a full parser would: what is plain here is JSON there.

from libc.stdint cimport uint64_t

from mlthon._core.int128 cimport int128, uint128

cdef extern from *:
    """
    #ifndef MLTHON_JSON_SCAN
    #define MLTHON_JSON_SCAN

    #include <stdint.h>
    #include <string.h>

    #define MLTHON_EACH(byte) (0x0101010101010101ULL * (byte))

    static const uint64_t mlthon_power_of_ten[19] = {
        1ULL, 10ULL, 100ULL, 1000ULL, 10000ULL, 100000ULL, 1000000ULL, 10000000ULL, 100000000ULL, 1000000000ULL,
        10000000000ULL, 100000000000ULL, 1000000000000ULL, 10000000000000ULL, 100000000000000ULL,
        1000000000000000ULL, 10000000000000000ULL, 100000000000000000ULL, 1000000000000000000ULL,
    };

    static inline uint64_t mlthon_first_lowest(uint64_t word) {
    #if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
    #endif
        return word;
    }

    /* Eight characters as one word, the first lowest; NULs where the text ends before. */
    static __attribute__((noinline, unused)) uint64_t mlthon_load_last(const char *at, const char *end) {
        char chars[8] = {0};
        uint64_t word;
        memcpy(chars, at, end - at);
        memcpy(&word, chars, 8);
        return word;
    }
    static inline uint64_t mlthon_load8(const char *at, const char *end) {
        uint64_t word;
        if (__builtin_expect(end - at >= 8, 1))
            memcpy(&word, at, 8);
        else
            word = mlthon_load_last(at, end);
        return mlthon_first_lowest(word);
    }

    /* A name of up to seven letters and its closing quote, as load8 reads them: a constant to the compiler. */
    static inline uint64_t mlthon_name(const char *name) {
        uint64_t word = 0;
        memcpy(&word, name, strlen(name));
        return mlthon_first_lowest(word) | (uint64_t)'"' << 8 * strlen(name);
    }

    /* Marks the first byte with a property by its top bit; bits above that one may be wrong. */
    static inline uint64_t mlthon_zero_bytes(uint64_t word) {
        return (word - MLTHON_EACH(0x01)) & ~word & MLTHON_EACH(0x80);
    }
    static inline uint64_t mlthon_quotes(uint64_t word) {
        return mlthon_zero_bytes(word ^ MLTHON_EACH('"'));
    }
    static inline uint64_t mlthon_not_plain(uint64_t word) {    /* quote, backslash, control, beyond ASCII */
        return mlthon_quotes(word) | mlthon_zero_bytes(word ^ MLTHON_EACH('\\\\'))
            | ((word - MLTHON_EACH(0x20)) & ~word & MLTHON_EACH(0x80)) | (word & MLTHON_EACH(0x80));
    }
    static inline uint64_t mlthon_not_digits(uint64_t word) {
        uint64_t values = word ^ MLTHON_EACH('0');
        return ((values + MLTHON_EACH(0x76)) | values) & MLTHON_EACH(0x80);
    }

    /* How many bytes come before the first marked one. */
    static inline uint64_t mlthon_before(uint64_t marks) {
        return marks ? (uint64_t)__builtin_ctzll(marks) / 8 : 8;
    }

    /* The word without the byte at an index of 0 to 7; the bytes above it move down. */
    static inline uint64_t mlthon_without_byte(uint64_t word, uint64_t index) {
        uint64_t from = ~0ULL << 8 * index;
        return (word & ~from) | (word >> 8 & from);
    }

    /* The value of the word's first `count` (1 to 8) characters, all digits: neighbours are joined three times. */
    static inline uint64_t mlthon_digits_value(uint64_t word, uint64_t count) {
        word = (word ^ MLTHON_EACH('0')) << (64 - 8 * count);
        word = word * 10 + (word >> 8);
        return ((word & 0x000000FF000000FFULL) * 0x000F424000000064ULL
            + ((word >> 16) & 0x000000FF000000FFULL) * 0x0000271000000001ULL) >> 32;
    }

    /* The place `size` on from `at`. Where the last size, if one is kept, was the same, the place is reckoned from
       that one: the processor guesses so, and goes on from there before it knows this one. The empty statements
       keep the compiler from putting `size` in again, and from choosing between the places without a branch. */
    static inline const char *mlthon_after(const char *at, uint64_t size, uint64_t *last_size) {
        if (last_size) {
            const char *guess = at + *last_size;
            __asm__("" : "+r"(guess));
            if (size == *last_size) {
                __asm__ volatile("" : "+r"(guess));
                return guess;
            }
            *last_size = size;
        }
        return at + size;
    }

    #endif
    """
    uint64_t name_word "mlthon_name"(const char *name) noexcept nogil
    const uint64_t *POWER_OF_TEN "mlthon_power_of_ten"      # 10**0 to 10**18
    uint64_t load8 "mlthon_load8"(const char *at, const char *end) noexcept nogil
    uint64_t quotes "mlthon_quotes"(uint64_t word) noexcept nogil
    uint64_t not_plain "mlthon_not_plain"(uint64_t word) noexcept nogil
    uint64_t not_digits "mlthon_not_digits"(uint64_t word) noexcept nogil
    uint64_t before "mlthon_before"(uint64_t marks) noexcept nogil
    uint64_t without_byte "mlthon_without_byte"(uint64_t word, uint64_t index) noexcept nogil
    const char *after "mlthon_after"(const char *at, uint64_t size, uint64_t *last_size) noexcept nogil
    uint64_t digits_value "mlthon_digits_value"(uint64_t word, uint64_t count) noexcept nogil

cdef enum:
    MOST_DIGITS = 18                  # of an integer: always fits in 64 bits
    MOST_DECIMALS = 18

# A string of digits that takes more than one word, from behind its opening quote, as a mantissa.
cdef const char *scan_wide_decimal(const char *at, const char *end, int128 *out) noexcept nogil

# Any value; any member of an object.
cdef const char *skip_value(const char *at, const char *end) noexcept nogil
cdef const char *skip_member(const char *at, const char *end) noexcept nogil


cdef inline const char *skip_space(const char *at) noexcept nogil:
    while <unsigned char>at[0] <= c" " and is_space(at[0]):       # mostly there is none: one comparison
        at += 1
    return at


cdef inline bint is_space(char char) noexcept nogil:
    return char == c" " or char == c"\n" or char == c"\r" or char == c"\t"


cdef inline const char *scan_char(const char *at, char char) noexcept nogil:
    """One character and the space around it."""
    if at[0] != char:
        at = skip_space(at)
        if at[0] != char:
            return NULL
    return skip_space(at + 1)


cdef inline const char *scan_string(const char *at, const char *end) noexcept nogil:
    """The rest of a string, from behind its opening quote."""
    cdef uint64_t marks
    while True:
        marks = not_plain(load8(at, end))
        at += before(marks)
        if marks:
            return at + 1 if at[0] == c'"' else NULL


cdef inline const char *scan_short_name(const char *at, const char *end, uint64_t *key) noexcept nogil:
    """A member's name of up to 7 characters, its colon, and the space behind; the name as `name_word` writes it.

    Only a name that is recognised is known to be plain: `skip_member` takes the others.
    """
    cdef uint64_t word
    cdef uint64_t size
    if at[0] != c'"':
        return NULL
    word = load8(at + 1, end)
    size = before(quotes(word))
    if size > 7:
        key[0] = 0
        return at
    key[0] = word & (~<uint64_t>0 >> (56 - 8 * size))
    return scan_char(at + 2 + size, c":")


cdef inline const char *next_item(const char *at, char closing, bint *more) noexcept nogil:
    """Behind an item of a list or an object, or NULL: on to the next item, or else out."""
    if at is NULL:
        return NULL
    if at[0] != c",":
        at = skip_space(at)
        if at[0] != c",":
            more[0] = False
            return skip_space(at + 1) if at[0] == closing else NULL
    return skip_space(at + 1)


cdef inline const char *scan_integer(const char *at, const char *end, uint64_t *out) noexcept nogil:
    """An integer without a sign."""
    cdef const char *start = at
    cdef uint64_t word
    cdef uint64_t count = 8
    out[0] = 0
    while count == 8:
        word = load8(at, end)
        count = before(not_digits(word))
        at += count
        if at - start > MOST_DIGITS:
            return NULL
        if count:
            out[0] = out[0] * POWER_OF_TEN[count] + digits_value(word, count)
    if at == start or (start[0] == c"0" and at - start > 1):
        return NULL
    return at


cdef inline const char *scan_decimal(
    const char *at, const char *end, int128 *out, uint64_t *last_size
) noexcept nogil:
    """A string of digits with at most one point among them, from behind its opening quote, as a mantissa.

    `last_size` is kept between numbers that mostly have the same length; NULL for others.
    """
    cdef uint64_t word = load8(at, end)
    cdef uint64_t marks = not_digits(word)
    cdef uint64_t whole = before(marks)
    cdef uint64_t has_point = at[whole] == c"."
    cdef uint64_t size                # in characters
    cdef uint64_t digits
    if marks == 0:
        return scan_wide_decimal(at, end, out)
    if has_point:                     # a branch: guessing it right is faster than computing what follows from it
        marks &= marks - 1
    size = before(marks)
    if at[size] != c'"' or size == has_point:
        return scan_wide_decimal(at, end, out)
    digits = digits_value(without_byte(word, whole), size - has_point)
    out[0] = <int128>(<uint128>digits * POWER_OF_TEN[MOST_DECIMALS + whole + has_point - size])
    return after(at, size, last_size) + 1
