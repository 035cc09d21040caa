"""Pictures, and what is said of them."""
