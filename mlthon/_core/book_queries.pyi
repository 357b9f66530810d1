# Nothing for Python: book_queries.pxd is for other compiled modules.
