# Making named tuples in compiled code, and taking them apart: requests, reports, orders.

cdef extern from *:
    """
    /* A tuple subclass's instance with the items of a plain tuple, unchecked: what its __new__ does at its end. */
    static PyObject *mlthon_named(PyObject *cls, PyObject *items) {
        Py_ssize_t size = PyTuple_GET_SIZE(items);
        PyObject *made = ((PyTypeObject *)cls)->tp_alloc((PyTypeObject *)cls, size);
        for (Py_ssize_t index = 0; made != NULL && index < size; index++) {
            PyObject *item = PyTuple_GET_ITEM(items, index);
            Py_INCREF(item);
            PyTuple_SET_ITEM(made, index, item);
        }
        return made;
    }
    """
    # The items must be as many as the class has fields, defaults included.
    tuple named "mlthon_named"(object cls, tuple items)


cdef inline tuple fields_of(object values):
    """A named tuple's fields, as the plain tuple that it is underneath."""
    if not isinstance(values, tuple):
        raise TypeError(f"expected a named tuple of an order, got {values!r}")
    return <tuple>values
