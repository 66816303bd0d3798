"""Numbers that doubles alone would get wrong: far tails, large sums, integrals."""
