"""The verbs of the command line, one module each: what a verb takes, and the reply that it gives."""
