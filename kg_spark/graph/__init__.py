"""The parts of build_kg: statements -> nodes, their merging, edges, and the profile."""
