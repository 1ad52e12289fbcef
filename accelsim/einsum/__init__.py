"""The cascade language: grammar, graph, numpy evaluation, passes and counts."""
