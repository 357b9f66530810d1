# Time spans by the processor's own counter: 6 ns a reading where the system's clock takes 20.
#
# For noticing that something took long, not for stamps: the counter of another core may differ by a little. How long
# a tick is gets measured over the life of the module, when a span is converted, so that reading costs nothing more.

from libc.stdint cimport int64_t

cdef extern from *:
    """
    #ifndef MLTHON_TICKS
    #define MLTHON_TICKS

    #include <stdint.h>
    #include <time.h>
    #if defined(__x86_64__)
    #include <x86intrin.h>
    #endif

    static inline int64_t mlthon_monotonic_ns(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    }

    static inline int64_t mlthon_ticks(void) {
    #if defined(__x86_64__)
        return (int64_t)__rdtsc();
    #elif defined(__aarch64__)
        int64_t count;
        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
        return count;
    #else
        return mlthon_monotonic_ns();
    #endif
    }

    /* No span of fewer ticks can be as long as ns. */
    static inline int64_t mlthon_ticks_at_least(int64_t ns) {
    #if defined(__aarch64__)
        int64_t per_second;
        __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(per_second));
        return (int64_t)((double)ns * (double)per_second / 1e9 * 0.99);
    #else
        return ns;                  /* x86-64 counters run at 1 GHz and more */
    #endif
    }

    static int64_t mlthon_first_ticks, mlthon_first_ns;

    static inline void mlthon_start_ticks(void) {
        mlthon_first_ticks = mlthon_ticks();
        mlthon_first_ns = mlthon_monotonic_ns();
    }

    static inline int64_t mlthon_ticks_to_ns(int64_t span) {
        int64_t ticks = mlthon_ticks() - mlthon_first_ticks, ns = mlthon_monotonic_ns() - mlthon_first_ns;
        return ticks <= 0 ? 0 : (int64_t)((double)span * (double)ns / (double)ticks);
    }

    #endif
    """
    int64_t monotonic_ns "mlthon_monotonic_ns"() noexcept nogil                # the system's clock
    int64_t ticks_now "mlthon_ticks"() noexcept nogil
    int64_t ticks_at_least "mlthon_ticks_at_least"(int64_t ns) noexcept nogil
    void start_ticks "mlthon_start_ticks"() noexcept nogil          # once, when the module that converts is loaded
    int64_t ticks_to_ns "mlthon_ticks_to_ns"(int64_t span) noexcept nogil
