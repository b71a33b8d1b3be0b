"""The stages of a verification, and the costly ones among them."""
