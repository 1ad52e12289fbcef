"""Bit-exact models of hardware units, in numpy on integers: what generated hardware is compared with."""
