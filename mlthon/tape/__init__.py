"""Recorded markets: readers that yield what a venue published, in order, with the time between."""
