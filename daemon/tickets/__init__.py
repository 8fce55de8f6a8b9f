"""A ticket's life: its steps, its watch, the evidence for its closing, and what people do to it."""
