"""The version of the package, also what a result says it was made by."""

VERSION = "0.1.0"
