# Calling a Python function from C the shortest way: arguments in an array on the stack, no tuple, no bound method.

from cpython.object cimport PyObject

cdef extern from *:
    """
    /* With args[1] to args[count]; args[0] is free for what a method is bound to. A new reference, or NULL. */
    static inline PyObject *mlthon_call(PyObject *function, PyObject *bound_to, PyObject **args, size_t count) {
        if (bound_to == NULL)
            return PyObject_Vectorcall(function, args + 1, count | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
        args[0] = bound_to;
        if (PyFunction_Check(function))
            return ((PyFunctionObject *)function)->vectorcall(function, args, count + 1, NULL);
        return PyObject_Vectorcall(function, args, count + 1, NULL);
    }
    """
    PyObject *call_function "mlthon_call"(PyObject *function, PyObject *bound_to, PyObject **args, size_t count)

cdef extern from "Python.h":
    # These take and give borrowed references; none of them raises.
    bint PyMethod_Check(object method) noexcept
    PyObject *PyMethod_GET_FUNCTION(object method) noexcept
    PyObject *PyMethod_GET_SELF(object method) noexcept
    Py_ssize_t Py_REFCNT(PyObject *value)     # cpython.ref has it for an object, which counts one more
    void Py_DECREF(PyObject *value)

cdef extern from *:
    # Macros of Cython's own: which way a branch goes as a rule.
    bint likely(bint condition) noexcept
    bint unlikely(bint condition) noexcept
