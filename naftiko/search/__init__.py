"""Search over short texts, offline and deterministic: words, character trigrams, meaning."""
