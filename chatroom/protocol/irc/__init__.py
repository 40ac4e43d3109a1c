"""IRC, for every client that there is: the room is a channel. See `IRC.md` beside this file."""
