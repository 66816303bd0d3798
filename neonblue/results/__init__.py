"""An experiment's results out of the warehouse: live, as published, over time, in parts, and as a report."""
