"""Results compared without noise: volatile values, rules, differences, and the files that syrupy keeps."""
