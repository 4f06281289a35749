"""The page in the browser: pictures and words in, boxes out; folders corrected."""
