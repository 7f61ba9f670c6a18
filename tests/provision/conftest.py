"""The stage of the deploy tests is the one of these, too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "deploy"))
