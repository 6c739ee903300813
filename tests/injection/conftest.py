import sys
from pathlib import Path

for folder in ("agent", "monitor", "screen", "injection"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
