"""What a coding agent is given: the report over errors and the bundle to work on elsewhere."""
