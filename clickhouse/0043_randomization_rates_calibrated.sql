-- Whole numbers give no rate of exactly 5 %: what is said of a rate allows for it.
ALTER TABLE randomization_rates ${ON_CLUSTER} COMMENT COLUMN calibrated 'Whether the bounds reach 4 to 6 %';
