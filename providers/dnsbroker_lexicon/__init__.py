"""The adapter that reaches other services through dns-lexicon."""
