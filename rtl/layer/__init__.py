"""The layer machine: sequencer, DMA engines, scratchpads, array and vector engine, put together into one top level."""
