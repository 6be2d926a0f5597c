"""The quality tests judge the same small videos as those of the media."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "media"))
