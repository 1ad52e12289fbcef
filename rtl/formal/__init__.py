"""Proofs: claims about a block, proved for runs of any length or up to a depth, with covers that show them not empty.

`prove` takes a block and a function that makes the claims; `rules` holds those of every block, `library` those of the
stream library, `paths` looks for paths from ready to valid in the netlist.
"""

from rtl.formal.claims import Claims, Properties, together
from rtl.formal.paths import check_ready_paths, ready_paths
from rtl.formal.prove import Proof, prove
from rtl.formal.rules import goes_on, stream_of, stream_rules

__all__ = [
    "Claims",
    "Proof",
    "Properties",
    "check_ready_paths",
    "goes_on",
    "prove",
    "ready_paths",
    "stream_of",
    "stream_rules",
    "together",
]
