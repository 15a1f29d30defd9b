-- Who claimed wrongly: what one caller guesses does not shut the order's owner out.
ALTER TABLE proofs ADD COLUMN caller TEXT NOT NULL DEFAULT '';
