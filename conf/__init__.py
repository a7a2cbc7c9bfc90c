"""The contract between the two engines: config, tables, flow, ids, meaning. It is a package on purpose and imports no engine."""
