"""Orders and their manager; the books are in `mlthon.order.books`."""
