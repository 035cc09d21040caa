"""Language models: a text in, the next token out."""
