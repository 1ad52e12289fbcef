"""Processing in memory: rows of the simulators released with AttAcc and Duplex, and what their papers say."""
