"""Tests of designs, their Verilog, their verification and the command line around them."""
