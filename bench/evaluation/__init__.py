"""How well memory finds what was said: dialogues, questions, measures."""
