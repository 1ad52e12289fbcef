"""Cost at depths `bound` and `analytic`: bytes, busy cycles, register accesses and energy of a placed cascade."""
