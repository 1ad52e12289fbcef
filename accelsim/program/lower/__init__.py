"""From a placed cascade to a tile program: loops, tasks with their ticks, transfers, tiles in buffers and edges."""
