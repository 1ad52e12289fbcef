"""The mapper: the best mappings of a step on an architecture under depth `analytic`, found and proven by search."""
