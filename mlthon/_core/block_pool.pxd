# Memory for small values that come and go by the million: a freed block is kept for the next value.
#
# Cython's own @freelist serves constructors only, and runs their argument parsing for every result of arithmetic.
# Here the blocks are handed out by the type's tp_alloc and taken back by its tp_free, so constructors, arithmetic
# and compiled callers share them. One pool per compiled module; all its types have the same size.

cdef extern from *:
    """
    #define MLTHON_POOL_BLOCKS 256

    static void *mlthon_pool[MLTHON_POOL_BLOCKS];
    static int mlthon_pool_size = 0;

    static void mlthon_pool_free(void *block) {
        if (mlthon_pool_size < MLTHON_POOL_BLOCKS)
            mlthon_pool[mlthon_pool_size++] = block;
        else
            PyObject_Free(block);
    }

    /* A new object, of which only the head is set. */
    static inline PyObject *mlthon_pool_new(PyTypeObject *type) {
        PyObject *object;
        if (mlthon_pool_size == 0) {
            object = (PyObject *)PyObject_Malloc((size_t)type->tp_basicsize);
            return object == NULL ? PyErr_NoMemory() : PyObject_Init(object, type);
        }
        object = (PyObject *)mlthon_pool[--mlthon_pool_size];
    #if defined(Py_DEBUG) || defined(Py_TRACE_REFS)
        return PyObject_Init(object, type);    /* does book-keeping of its own */
    #else
        Py_SET_TYPE(object, type);
        Py_SET_REFCNT(object, 1);
        return object;
    #endif
    }

    static PyObject *mlthon_pool_alloc(PyTypeObject *type, Py_ssize_t Py_UNUSED(items)) {
        PyObject *object = mlthon_pool_new(type);
        if (object != NULL)
            memset(object + 1, 0, (size_t)type->tp_basicsize - sizeof(PyObject));
        return object;
    }

    static void mlthon_pool_use(PyTypeObject *type) {
        type->tp_alloc = mlthon_pool_alloc;
        type->tp_free = mlthon_pool_free;
    }
    """
    # Make a final type without references take its memory from the pool; right after the type is there.
    void use_pool "mlthon_pool_use"(type kind) noexcept

    # An object of such a type, its own fields not yet set.
    object new_from_pool "mlthon_pool_new"(type kind)
