"""How this core was built, as setup.py stamped it.

>>> MODE in ("release", "checked", "trace")
True
>>> COMPILER.split()[0] in ("gcc", "clang"), CYTHON >= "3.1"
(True, True)
"""

cdef extern from *:
    """
    #ifndef MLTHON_BUILD_MODE
    #error "MLTHON_BUILD_MODE is not defined: build through setup.py"
    #endif
    #if defined(__clang__)
    #define MLTHON_COMPILER "clang " __clang_version__
    #else
    #define MLTHON_COMPILER "gcc " __VERSION__
    #endif
    """
    const char *MLTHON_BUILD_MODE
    const char *MLTHON_COMPILER
    const unsigned int CYTHON_HEX_VERSION

MODE = MLTHON_BUILD_MODE.decode("ascii")
COMPILER = MLTHON_COMPILER.decode("ascii", "replace").strip()
CYTHON = ".".join(str(CYTHON_HEX_VERSION >> shift & 0xFF) for shift in (24, 16, 8))


def is_release():
    """Tell whether the core runs at full speed; benchmarks refuse any other.

    >>> is_release() == (MODE == "release")
    True
    """
    return MODE == "release"
