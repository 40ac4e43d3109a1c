"""HTTP/1.1: requests in, the site's answers out. Nothing of it ever is a word in the room."""
