"""Tests of the hardware: form, Verilog, bench, proofs, and every block against what it must compute and when."""
