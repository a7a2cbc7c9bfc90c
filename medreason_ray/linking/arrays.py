"""The shapes that the search for near nodes passes on; apart from it, for the search loads a compiler."""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""(n, d) rows of unit length, or all zeros."""
Rows = NDArray[np.int64]
Scores = NDArray[np.float64]
