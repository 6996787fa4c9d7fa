"""The numbers of a finished run: estimates, comparisons, costs, and what produced them."""
