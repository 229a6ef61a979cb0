"""Workers: a supervisor that never imports torch, and what draws for it."""
