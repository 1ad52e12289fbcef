"""Models that tests build are kept in the checkout's own cache, unless $ACCELSIM_CACHE names another."""

from __future__ import annotations

import os

from tests.source import ROOT

os.environ.setdefault("ACCELSIM_CACHE", str(ROOT / ".cache" / "accelsim"))
