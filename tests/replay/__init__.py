"""A year of real incidents played again, under fire."""
