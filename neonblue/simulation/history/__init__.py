"""A generated history of many experiments with a known truth: the warehouse's test data, of any size, from a seed."""
