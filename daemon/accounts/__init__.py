"""Who may sign in to the console, and by what."""
