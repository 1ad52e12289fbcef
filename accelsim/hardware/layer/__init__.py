"""A layer on the generated machine: from a placed mapping to instructions, data, and what must come out."""
