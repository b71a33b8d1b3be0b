"""Problems in words: every token is read, or the text is refused by the name of what was not."""
