"""`chatroom client --mode multicast`: the room's feed, for a person or a pipe, to listen only."""
