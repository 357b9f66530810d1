# Nothing here for Python: other compiled modules cimport it (see decimal_text.pxd).
