"""How this core was built, as setup.py stamped it.

>>> MODE in ("release", "checked", "trace")
True
"""

cdef extern from *:
    """
    #ifndef MLTHON_BUILD_MODE
    #error "MLTHON_BUILD_MODE is not defined: build through setup.py"
    #endif
    """
    const char *MLTHON_BUILD_MODE

MODE = MLTHON_BUILD_MODE.decode("ascii")


def is_release():
    """Tell whether the core runs at full speed; benchmarks refuse any other.

    >>> is_release() == (MODE == "release")
    True
    """
    return MODE == "release"
