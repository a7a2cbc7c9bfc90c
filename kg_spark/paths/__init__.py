"""The path search: index, kernel, ranking, and the same answers through GraphFrames."""
