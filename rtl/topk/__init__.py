"""Engines that keep the k largest scores of a job, in the order in which they came; of equal ones the first.

`form` has what every engine takes and gives, `parts` what makes dense rows, `filter` what lies around SELECT.
`quick`, with `quick_parts`, is quick-select; `radix`, with `digits`, finds the k-th largest score digit by digit.
"""

from rtl.topk.form import TopkForm, command_layout, kept_layout, scores_layout

__all__ = ["TopkForm", "command_layout", "kept_layout", "scores_layout"]
