"""Protocol servers in front of the simulated exchange, one package a venue."""
