# Side as compiled code sees it: 0 is Buy (bids), 1 is Sell (asks).

# The index of a Side member; raises TypeError for anything else.
cdef int side_index(object side) except -1

# The Side member of an index.
cdef object side_from(int index)
