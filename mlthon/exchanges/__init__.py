"""Connectors to real venues, one folder each; what any venue needs of a socket lies beside them."""
