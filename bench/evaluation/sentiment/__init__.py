"""How well the local sentiment does on review sentences, and what it learns from them."""
