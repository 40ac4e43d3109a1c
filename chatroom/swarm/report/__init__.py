"""What a person or a program reads about a run: on the terminal, in files, as pictures."""
